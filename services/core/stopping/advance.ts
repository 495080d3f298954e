import { affordableCount } from './affordable.ts';
import type { SearchEndCause } from './budget.ts';
import { boundReached, freeSeconds, isBounded } from './budget.ts';
import { decide } from './judge.ts';
import { describeRung, stepAfter } from './ladder.ts';
import type { RuleVersion, SearchPolicy } from './policy.ts';
import { pausesAtRungs, ruleOf } from './policy.ts';
import type { RungEntry, RungTable } from './rung-table.ts';
import { promotionCut, rankedRivals, rivalCount } from './rung-table.ts';
import type { SearchRun, SearchState } from './search-state.ts';
import { earlierEntries, isComing, tableAt } from './search-state.ts';

export type SearchAction = Promotion | SearchEnd;

export interface Promotion {
  readonly kind: 'PROMOTE';
  readonly rule: RuleVersion;
  readonly runIndex: number;
  /** Rung at which the run waited. */
  readonly rung: number;
  readonly place: number;
  readonly cut: number;
  readonly count: number;
  /** True: only because a slot was idle. */
  readonly idle: boolean;
  readonly reason: string;
}

export interface SearchEnd {
  readonly kind: 'END';
  readonly rule: RuleVersion;
  readonly cause: SearchEndCause;
  readonly reason: string;
}

/** A rung as it is decided upon. */
interface RungView {
  readonly table: RungTable;
  /** Runs that compete, the best first. */
  readonly rivals: readonly { readonly entry: RungEntry; readonly run: SearchRun }[];
  /** Enough runs have come for a decision. */
  readonly open: boolean;
  readonly cut: number;
  /** Runs to promote, in this order; those that the budget does not pay are left out. */
  readonly candidates: readonly SearchRun[];
  readonly unpaid: readonly SearchRun[];
}

/**
 * Returns what to do next in a search; null: wait. The caller applies it and asks again until there is nothing to do.
 *
 * Promotions are made when a slot would otherwise run out of work, so that a cut is decided with all that is known by then; in a
 * synchronous sweep as soon as a rung is complete. Higher rungs come first.
 */
export function nextAction(policy: SearchPolicy, state: SearchState): SearchAction | null {
  const bound = boundReached(policy.objective, state.spending);
  if (bound !== null) return { kind: 'END', rule: policy.rule, ...bound };
  if (!policy.synchronous && state.openTasks >= Math.max(1, state.slots.count)) return null;
  const views = pausesAtRungs(policy) ? viewRungs(policy, state) : [];
  const promotion = nextPromotion(policy, views) ?? idlePromotion(policy, state, views);
  if (promotion !== null) return promotion;
  const isLive = state.runs.some(({ status }) => status === 'BELOW' || status === 'TRAINING');
  return isLive || state.openTasks > 0 ? null : endOf(policy, state, views);
}

function nextPromotion(policy: SearchPolicy, views: readonly RungView[]): Promotion | null {
  for (const view of views.toReversed()) {
    const [run] = view.candidates;
    if (run !== undefined) return promote(policy, view, run, false);
  }
  return null;
}

/**
 * Returns the promotion of the best run that waits at the lowest rung, for a slot that would idle while regular work of the sweep
 * still trains; at most half as many as the cut lets through. With a budget of slot-seconds there is none: an idle slot costs nothing.
 *
 * The lowest rung, because its cut errs most (early values say least) and the way to the next rung is the shortest. LCBench curves,
 * 24 runs, 4 slots, 4,800 sweeps, epochs and regret in points: no idle promotion 31 %, 0.17; one from each rung 34 %, 0.13; half a
 * cut from the lowest 35 %, 0.09; no limit 52 %, 0.10, because the tail of a sweep is long.
 */
function idlePromotion(policy: SearchPolicy, state: SearchState, views: readonly RungView[]): Promotion | null {
  const { promoteIdle, synchronous } = policy;
  if (
    !promoteIdle ||
    synchronous ||
    isBounded(state.spending.budget) ||
    state.slots.idle === 0 ||
    state.openTasks === 0
  )
    return null;
  const regular = state.runs.some((run) => run.status === 'TRAINING' && !run.idleFrom.includes(run.rung ?? -1));
  if (!regular) return null;
  for (const view of views) {
    const waiting = view.rivals.find(({ run }) => isWaiting(run, view));
    if (waiting === undefined) continue;
    const beyond = state.runs.filter(({ idleFrom }) => idleFrom.includes(view.table.definition.number));
    const isAllowed = view.open && beyond.length < Math.max(1, Math.floor(view.cut / 2));
    return isAllowed ? promote(policy, view, waiting.run, true) : null;
  }
  return null;
}

/** Views the rungs from the lowest up: a rung is complete when no run trains below it and none can still be promoted to it. */
function viewRungs(policy: SearchPolicy, state: SearchState): RungView[] {
  const promotable: SearchRun[] = [];
  const runs = new Map(state.runs.map((run) => [run.index, run]));
  return policy.ladder.map(({ number }) => {
    const complete =
      !state.runs.some((run) => isComing(run, number)) &&
      !promotable.some(({ path }) => path.some(({ rung }) => rung === number));
    const view = viewRung(policy, state, runs, number, complete);
    const waiting = view.rivals.map(({ run }) => run).filter((run) => isWaiting(run, view));
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
  const extra = rivals.filter(({ run }) => run.idleFrom.some((from) => from < rung)).length;
  const cut = promotionCut(rivalCount(table) - extra, policy.reductionFactor);
  const view: RungView = { table, rivals, open, cut, candidates: [], unpaid: [] };
  if (!open) return view;
  const wanted = ruleOf(policy) === 'promotion' ? withinCut(policy, state, view) : allowed(policy, state, view);
  const free = freeSeconds(state.spending);
  return {
    ...view,
    candidates: wanted.filter(({ nextSeconds }) => nextSeconds <= free),
    unpaid: wanted.filter(({ nextSeconds }) => nextSeconds > free),
  };
}

/** Returns who is promoted next: the runs within the cut that wait, as many as the budget pays for. */
function withinCut(policy: SearchPolicy, state: SearchState, view: RungView): SearchRun[] {
  const waiting = view.rivals.slice(0, view.cut).filter(({ run }) => isWaiting(run, view));
  const places = payable(policy, state, view);
  const left = places === Infinity ? places : places - promotedFrom(state, view.table.definition.number);
  return waiting.slice(0, Math.max(0, left)).map(({ run }) => run);
}

/** Returns the number of heads that a budget of slot-seconds pays for; no bound at other rungs. */
function payable({ reductionFactor }: SearchPolicy, state: SearchState, { table, rivals, cut }: RungView): number {
  const { stage, epoch } = table.definition;
  if (stage !== 'HEAD' || epoch !== null || !isBounded(state.spending.budget)) {
    return Infinity;
  }
  const best = rivals.slice(0, cut).map(({ run }) => run);
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

function isWaiting({ status, rung }: SearchRun, { table }: RungView): boolean {
  return status === 'PAUSED' && rung === table.definition.number;
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

function promote(policy: SearchPolicy, view: RungView, run: SearchRun, idle: boolean): Promotion {
  const { table, cut } = view;
  const place = placeOf(view, run.index);
  const count = rivalCount(table);
  const rung = table.definition.number;
  const next = stepAfter(run.path, rung);
  const way = `from ${describeRung(table.definition)} to epoch ${next?.epoch ?? '?'}`;
  const why = idle ? `beyond the cut of ${cut}, for a slot that was idle` : `within the cut of ${cut}`;
  const reason = `promoted ${way}: place ${place} of ${count}, ${why}`;
  return { kind: 'PROMOTE', rule: policy.rule, runIndex: run.index, rung, place, cut, count, idle, reason };
}

function placeOf({ rivals }: RungView, runIndex: number): number {
  return rivals.findIndex(({ run }) => run.index === runIndex) + 1;
}

function endOf(policy: SearchPolicy, state: SearchState, views: readonly RungView[]): SearchEnd {
  const [unpaid] = views.flatMap((view) => view.unpaid);
  if (unpaid !== undefined) {
    const needs = Math.round(unpaid.nextSeconds);
    const left = Math.round(freeSeconds(state.spending));
    const reason = `the next promotion, run ${unpaid.index}, needs ${needs} slot-seconds and ${left} are left`;
    return { kind: 'END', rule: policy.rule, cause: 'BUDGET', reason };
  }
  const done = state.runs.filter(({ status }) => status === 'DONE').length;
  const reason = `all runs are decided: ${done} of ${state.runs.length} trained to their end`;
  return { kind: 'END', rule: policy.rule, cause: 'ALL_DECIDED', reason };
}

/** Returns why a run that waits when the search ends is stopped. */
export function notPromotedReason(policy: SearchPolicy, state: SearchState, run: SearchRun): string {
  const table = tableAt(policy, state, run.rung ?? 0);
  const place = rankedRivals(policy.objective, table).findIndex(({ runIndex }) => runIndex === run.index) + 1;
  return `not promoted; place ${place} of ${rivalCount(table)} at ${describeRung(table.definition)}`;
}
