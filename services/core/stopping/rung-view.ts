import { affordableCount } from './affordable.ts';
import { freeSeconds, isBounded } from './budget.ts';
import { decide } from './judge.ts';
import type { SearchPolicy } from './policy.ts';
import { pausesAt, ruleOf, versionOf } from './policy.ts';
import type { RungEntry, RungTable } from './rung-table.ts';
import { promotionCut, rankedRivals, rivalCount } from './rung-table.ts';
import type { SearchRun, SearchState } from './search-state.ts';
import { earlierEntries, isComing, tableAt } from './search-state.ts';

/** A rung as it is decided upon. */
export interface RungView {
  readonly table: RungTable;
  /** Runs that compete, the best first. */
  readonly rivals: readonly { readonly entry: RungEntry; readonly run: SearchRun }[];
  /** The rivals that hold a place within the cut if they are good enough: those that have not ended where they waited. */
  readonly holders: RungView['rivals'];
  /** Enough runs have come for a decision. */
  readonly open: boolean;
  /** Runs of which the cut is a part: those that compete, failed ones included, without those that came for an idle slot. */
  readonly counted: number;
  readonly cut: number;
  /** Runs to promote, in this order; those that the budget does not pay are left out. */
  readonly candidates: readonly SearchRun[];
  readonly unpaid: readonly SearchRun[];
}

/**
 * Views the rungs from the lowest up: a rung is complete when no run trains below it, none can still be promoted to it, and all that
 * are there have ended their tasks, so that the order of reports and completions does not matter.
 */
export function viewRungs(policy: SearchPolicy, state: SearchState): RungView[] {
  const promotable: SearchRun[] = [];
  const runs = new Map(state.runs.map((run) => [run.index, run]));
  return policy.ladder.map(({ number }) => {
    const complete =
      !state.runs.some((run) => isComing(run, number) || isPausing(run, number)) &&
      !promotable.some(({ path }) => path.some(({ rung }) => rung === number));
    const view = viewRung(policy, state, runs, number, complete);
    const waiting = view.rivals.map(({ run }) => run).filter((run) => isWaiting(run, view) || isPausing(run, number));
    promotable.push(...(complete ? view.candidates : waiting));
    return view;
  });
}

function viewRung(
  policy: SearchPolicy,
  state: SearchState,
  runs: ReadonlyMap<number, SearchRun>,
  rung: number,
  complete: boolean,
): RungView {
  const table = tableAt(policy, state, rung);
  const rivals = rankedRivals(policy.objective, table).flatMap((entry) => {
    const run = runs.get(entry.runIndex);
    return run === undefined ? [] : [{ entry, run }];
  });
  const open = complete || (!policy.synchronous && rivals.length >= policy.minEntries);
  // A run that came for an idle slot competes for the places, but adds none.
  const extra = rivals.filter(({ run }) => cameForIdleSlot(policy, run, rung)).length;
  const fewest = versionOf(policy) === 1 ? 0 : Math.min(1, rivals.length);
  const counted = Math.max(fewest, rivalCount(table) - extra);
  const cut = promotionCut(counted, policy.reductionFactor);
  const holders = versionOf(policy) === 1 ? rivals : rivals.filter(({ run }) => !endedAt(run, rung));
  const view: RungView = { table, rivals, holders, open, counted, cut, candidates: [], unpaid: [] };
  if (!open) return view;
  const wanted = ruleOf(policy) === 'promotion' ? withinCut(policy, state, view) : allowed(policy, state, view);
  const free = freeSeconds(state.spending);
  return {
    ...view,
    candidates: wanted.filter(({ nextSeconds }) => nextSeconds <= free),
    unpaid: wanted.filter(({ nextSeconds }) => nextSeconds > free),
  };
}

/** Returns whether only an idle slot brought a run to a rung. One that has earned its way from the rung before counts as any other. */
function cameForIdleSlot(policy: SearchPolicy, { path, idleFrom }: SearchRun, rung: number): boolean {
  if (versionOf(policy) === 1) return idleFrom.some((from) => from < rung);
  const before = path.findLast((step) => step.rung < rung && pausesAt(policy, path, step));
  return before !== undefined && idleFrom.includes(before.rung);
}

/** Returns who is promoted next: the runs within the cut that wait, as many as the budget pays for. */
function withinCut(policy: SearchPolicy, state: SearchState, view: RungView): SearchRun[] {
  const waiting = view.holders.slice(0, view.cut).filter(({ run }) => isWaiting(run, view));
  const places = payable(policy, state, view);
  const left = places === Infinity ? places : places - promotedFrom(state, view.table.definition.number);
  return waiting.slice(0, Math.max(0, left)).map(({ run }) => run);
}

/** Returns the number of heads that a budget of slot-seconds pays for; no bound at other rungs. */
function payable({ reductionFactor }: SearchPolicy, state: SearchState, { table, holders, cut }: RungView): number {
  const { stage, epoch } = table.definition;
  if (stage !== 'HEAD' || epoch !== null || !isBounded(state.spending.budget)) {
    return Infinity;
  }
  const best = holders.slice(0, cut).map(({ run }) => run);
  return affordableCount(best, table.definition.number, reductionFactor, freeSeconds(state.spending), (rung) =>
    promotedFrom(state, rung),
  );
}

/** Returns the waiting runs that a rule of stopping lets continue, in a synchronous sweep: all entries of the rung are known. */
function allowed(policy: SearchPolicy, state: SearchState, view: RungView): SearchRun[] {
  const { table } = view;
  const waiting = view.rivals.filter(({ run }) => isWaiting(run, view));
  const continuing = waiting.filter(({ entry, run }) => {
    const earlier = earlierEntries(policy, state.rungs, run.index, table.definition.number);
    return decide(policy, { table, entry, earlier, path: run.path }).kind === 'CONTINUE';
  });
  return continuing.map(({ run }) => run);
}

/** Returns whether a run waits at a rung. */
export function isWaiting({ status, rung }: SearchRun, { table }: RungView): boolean {
  return status === 'PAUSED' && rung === table.definition.number;
}

function isPausing({ status, rung: last }: SearchRun, rung: number): boolean {
  return status === 'PAUSING' && last === rung;
}

/** Returns the number of runs that were promoted from a rung, those for idle slots not counted. */
function promotedFrom(state: SearchState, rung: number): number {
  const entered = new Set(state.rungs[rung]?.filter(({ continues }) => continues).map(({ runIndex }) => runIndex));
  return state.runs.filter((run) => entered.has(run.index) && hasLeft(run, rung) && !run.idleFrom.includes(rung))
    .length;
}

/** Returns whether a run that entered a rung trained beyond it. A run that ended where it waited has not. */
function hasLeft({ status, rung: last }: SearchRun, rung: number): boolean {
  if (last !== rung) return true;
  return status === 'TRAINING' || status === 'DONE' || status === 'FAILED';
}

/** Returns whether a run was stopped at a rung, or on its way to the next one: a run that fails there has used its place. */
function endedAt({ status, rung: last }: SearchRun, rung: number): boolean {
  return last === rung && status === 'STOPPED';
}

/** Returns the place of a run among those that compete, from 1. */
export function placeOf({ rivals }: RungView, runIndex: number): number {
  return rivals.findIndex(({ run }) => run.index === runIndex) + 1;
}
