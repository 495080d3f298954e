import type { SearchEnd } from '../records/decision.ts';
import { countOf } from '../text/count-of.ts';
import { isWaiting, viewRungs } from './rung-view.ts';
import type { RungView } from './rung-view.ts';
import { idleChoice } from './steps/idle-promotion.ts';
import { freeSeconds, isBounded } from './budget.ts';
import { describeRung } from './ladder.ts';
import { hasEndedHead, nextRound } from './next-round.ts';
import { pausesAtRungs, promotesIdle, ruleOf } from './policy.ts';
import type { SearchPolicy } from './policy.ts';
import { rivalCount } from './rung-table.ts';
import type { SearchRun, SearchState } from './search-state.ts';

/** The sweep of a run that waits, as its commands name it. */
export interface WaitingSweep {
  readonly sweepId: string;
  /** Bound on the runs of a strategy that draws, which can be raised; null: runs are added as variants. */
  readonly maxRuns: number | null;
}

/** A run at the rung where it waits, or waited when the search ended. */
interface Waiting {
  readonly policy: SearchPolicy;
  readonly state: SearchState;
  readonly run: SearchRun;
  readonly views: readonly RungView[];
  readonly view: RungView;
  readonly sweep: WaitingSweep;
}

/**
 * Returns the conditions under which a run trains on that waits at a rung, as sentences. They follow from the functions that promote,
 * so that both count the same runs.
 *
 * @param end null: the search continues.
 * @param state the present one, or that of the end of the search, in which the run waits.
 */
export function outlookOf(
  policy: SearchPolicy,
  state: SearchState,
  run: SearchRun,
  end: SearchEnd | null,
  sweep: WaitingSweep,
): readonly string[] {
  const views = pausesAtRungs(policy) ? viewRungs(policy, state) : [];
  const view = run.rung === null ? undefined : views[run.rung];
  if (run.status === 'BELOW' || run.status === 'TRAINING') return interrupted(state, end, sweep);
  if (run.status !== 'PAUSED' || view === undefined) return [];
  const waiting = { policy, state, run, views, view, sweep };
  if (end !== null) return afterEnd(waiting, end);
  const further = furtherRounds(waiting);
  if (further !== null) return [further];
  if (policy.synchronous) return [onceAllHaveCome(waiting)];
  return [byPlace(waiting), ...(promotesIdle(policy, state.spending.budget) ? byIdleSlot(waiting) : [])];
}

/** Returns what continues a run that had not reached its next rung when a bound ended the search. */
function interrupted({ spending }: SearchState, end: SearchEnd | null, { sweepId }: WaitingSweep): string[] {
  const extend = `\`graft sweep extend ${sweepId}`;
  if (end === 'BUDGET' && isBounded(spending.budget)) {
    const { slotSeconds } = spending.budget;
    return [`${extend} --slot-seconds N\`, with N above ${slotSeconds}, continues it.`];
  }
  if (end === 'WALL_TIME') return [`${extend} --wall-time DURATION\` continues it.`];
  return end === 'TARGET' ? [`${extend} --target none\` continues it.`] : [];
}

/** Returns what a run waits for at the end of its head while rounds follow; null: none does, or promotions don't wait for them. */
function furtherRounds({ policy, state, view }: Waiting): string | null {
  const { rounds } = policy;
  const now = state.rounds;
  if (rounds === undefined || now === undefined || rounds.variesFineTuning) return null;
  const { definition } = view.table;
  const isLast = state.runs.every(hasEndedHead) && nextRound(policy, rounds, state, now).count === 0;
  if (definition.stage !== 'HEAD' || isLast) return null;
  const asked = countOf(state.runs.length, 'run');
  const progress = now.maxRuns === null ? `${asked} so far` : `${asked} of ${now.maxRuns} so far`;
  return `Promotions from ${describeRung(definition)} begin after the last round, so that they choose among all heads: ${progress}.`;
}

function onceAllHaveCome(waiting: Waiting): string {
  const rung = describeRung(waiting.view.table.definition);
  const coming = comingCount(waiting);
  if (coming === 0) return `Every run that can reach ${rung} is there, so it is decided next.`;
  return `It is decided when no other run can reach ${rung}: ${countOf(coming, 'run')} still can.`;
}

function byPlace(waiting: Waiting): string {
  const { policy, run, view, state } = waiting;
  const rung = describeRung(view.table.definition);
  if (ruleOf(policy) !== 'promotion') return `It waits for a decision of ${policy.rule} at ${rung}.`;
  const coming = comingCount(waiting);
  if (!view.open) {
    return (
      `Nothing is promoted from ${rung} before ${policy.minEntries} runs are there, or none can come any more: ` +
      `${view.rivals.length} are, and ${coming} can still come.`
    );
  }
  if (placeHeld(waiting) > view.cut) return afterWorseRuns(waiting, coming);
  const among = `It is among the best ${view.cut} of ${rivalCount(view.table)} at ${rung}`;
  if (view.candidates.includes(run)) return `${among}, and is promoted when a slot is free.`;
  const { budget } = state.spending;
  const needed = isBounded(budget) ? slotSecondsFor(waiting) : null;
  if (needed === null) return `${among}, and waits for its promotion.`;
  return `${among}, but the budget does not pay for its way to the next rung. ${extendSlotSeconds(waiting, needed)}`;
}

function afterWorseRuns(waiting: Waiting, coming: number): string {
  const condition = worseRuns(missingCount(waiting));
  if (missingCount(waiting) <= coming) {
    return `${standing(waiting)}. It is promoted after ${condition}; ${coming} can still come.`;
  }
  const left = coming === 0 ? 'no other run can come' : `only ${coming} can still come`;
  return `${standing(waiting)}. That takes ${condition}, and ${left}.`;
}

function standing(waiting: Waiting): string {
  const { table, cut } = waiting.view;
  const place = `place ${placeOf(waiting)} of ${rivalCount(table)} at ${describeRung(table.definition)}`;
  return `It is at ${place}, and the best ${cut} are promoted`;
}

function worseRuns(count: number): string {
  return `${countOf(count, 'more run')} there that ${count === 1 ? 'is' : 'are'} worse`;
}

function byIdleSlot({ state, views, view, run }: Waiting): string[] {
  const choice = idleChoice(state, views);
  if (choice === null || view.candidates.includes(run)) return [];
  const from = describeRung(choice.view.table.definition);
  if (choice.view !== view) {
    return [`A slot that would idle promotes runs from ${from} first, because runs wait there, too.`];
  }
  if (choice.left === 0) {
    return view.open
      ? [`Slots that would idle have promoted half as many runs from ${from} as its cut, and promote no more.`]
      : [];
  }
  const before = view.rivals
    .slice(
      0,
      view.rivals.findIndex((rival) => rival.run === run),
    )
    .filter((rival) => isWaiting(rival.run, view)).length;
  if (before >= choice.left) return [];
  const order = before === 0 ? 'It' : `After ${countOf(before, 'better run')} there, it`;
  return [`${order} is promoted by a slot that would idle while the sweep still trains.`];
}

/** Returns what continues the search, and whether that promotes the run. */
function afterEnd(waiting: Waiting, end: SearchEnd): string[] {
  const { policy, view, sweep } = waiting;
  const isWithin = ruleOf(policy) !== 'promotion' || (view.open && placeHeld(waiting) <= view.cut);
  const extend = `\`graft sweep extend ${sweep.sweepId}`;
  switch (end) {
    case 'BUDGET': {
      if (!isWithin)
        return [
          `${ended(waiting)}: more slot-seconds alone do not promote it.`,
          addRuns(waiting, ' --slot-seconds none'),
        ];
      const needed = slotSecondsFor(waiting);
      return needed === null ? [] : [`${ended(waiting)}. ${extendSlotSeconds(waiting, needed)}`];
    }
    case 'WALL_TIME':
      return [
        `The wall time had passed before it was promoted. ${extend} --wall-time DURATION\` continues the search.`,
      ];
    case 'TARGET':
      return [`The target was reached before it was promoted. ${extend} --target none\` continues the search.`];
    case 'SPACE_EXHAUSTED':
      return isWithin ? afterEnd(waiting, 'BUDGET') : [`${ended(waiting)}.`, addVariants(waiting)];
    case 'PATIENCE':
      return isWithin
        ? afterEnd(waiting, 'BUDGET')
        : [`${ended(waiting)}.`, addRuns(waiting, ' --patience-rounds none')];
    case 'ALL_DECIDED':
      // A budget that pays for fewer heads than the cut lets through ends a search with all decided.
      return isWithin ? afterEnd(waiting, 'BUDGET') : [`${ended(waiting)}.`, addRuns(waiting)];
    case 'USER':
      return [];
  }
}

function ended(waiting: Waiting): string {
  return `The search has ended. ${standing(waiting)}`;
}

/** Returns how variants from outside an exhausted space promote the run. */
function addVariants(waiting: Waiting): string {
  return addRuns({ ...waiting, sweep: { ...waiting.sweep, maxRuns: null } });
}

/** @param bound option that moves the bound which has ended the search, and would end it at once again */
function addRuns(waiting: Waiting, bound = ''): string {
  const { policy, run, sweep } = waiting;
  const { sweepId, maxRuns } = sweep;
  const missing = missingCount(waiting);
  // Of η runs that start, one is promoted from each rung below.
  const below = run.path.findIndex(({ rung }) => rung === run.rung);
  const added = missing * policy.reductionFactor ** below;
  const how = maxRuns === null ? '--variant NAME=VALUE,…' : `--max-runs ${maxRuns + added}`;
  return `It is promoted after ${worseRuns(missing)}: \`graft sweep extend ${sweepId} ${how}${bound}\` adds runs, and it waits again.`;
}

function extendSlotSeconds({ state, run, sweep }: Waiting, needed: number): string {
  const { spending } = state;
  const next = Math.ceil(run.nextSeconds);
  const left = Math.floor(freeSeconds(spending));
  return (
    `Its way to the next rung takes about ${countOf(next, 'slot-second')}, and ${left} were left: ` +
    `\`graft sweep extend ${sweep.sweepId} --slot-seconds ${needed}\` continues it.`
  );
}

/** Most doublings of a budget in search of the one that pays for a run. */
const DOUBLINGS = 20;

/** Returns the smallest budget of slot-seconds, to two digits, with which the run is promoted; null: none is. */
function slotSecondsFor(waiting: Waiting): number | null {
  const { budget } = waiting.state.spending;
  if (!isBounded(budget)) return null;
  let [low, high] = [budget.slotSeconds, Math.max(1, budget.slotSeconds)];
  for (let doubling = 0; !isPaid(waiting, high); doubling++) {
    if (doubling === DOUBLINGS) return null;
    low = high;
    high *= 2;
  }
  while (high - low > high / 1_000) {
    const middle = (low + high) / 2;
    if (isPaid(waiting, middle)) high = middle;
    else low = middle;
  }
  const digit = 10 ** Math.max(0, Math.floor(Math.log10(high)) - 1);
  return Math.ceil(high / digit) * digit;
}

/** Returns whether a budget pays for the run, and for those that are promoted before it. */
function isPaid({ policy, state, run }: Waiting, slotSeconds: number): boolean {
  const { spending } = state;
  if (!isBounded(spending.budget)) return true;
  const paid = { ...spending, budget: { ...spending.budget, slotSeconds } };
  const views = viewRungs(policy, { ...state, spending: paid }).toReversed();
  const order = views.flatMap(({ candidates }) => candidates);
  const position = order.findIndex(({ index }) => index === run.index);
  const cost = order.slice(0, position + 1).reduce((sum, { nextSeconds }) => sum + nextSeconds, 0);
  return position !== -1 && cost <= freeSeconds(paid);
}

/** Returns how many runs can still come to the rung, promoted ones included. */
function comingCount({ state, view }: Waiting): number {
  const rung = view.table.definition.number;
  const isOpen = ({ status }: SearchRun): boolean => ['BELOW', 'TRAINING', 'PAUSING', 'PAUSED'].includes(status);
  return state.runs.filter(
    (other) => isOpen(other) && (other.rung ?? -1) < rung && other.path.some((step) => step.rung === rung),
  ).length;
}

/** Returns how many runs must come that are worse: the smallest n with ⌊n/η⌋ + 1 ≥ place is η · (place − 1). */
function missingCount(waiting: Waiting): number {
  const { policy, view } = waiting;
  return Math.max(1, policy.reductionFactor * (placeHeld(waiting) - 1) - view.counted);
}

function placeOf({ view, run }: Waiting): number {
  return view.rivals.findIndex((rival) => rival.run.index === run.index) + 1;
}

/** Returns the place within the cut: runs that ended where they waited have none. */
function placeHeld(waiting: Waiting): number {
  const { view, run } = waiting;
  const place = view.holders.findIndex((holder) => holder.run.index === run.index) + 1;
  return place === 0 ? placeOf(waiting) : place;
}
