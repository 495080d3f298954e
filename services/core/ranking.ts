import type { Objective, ObjectiveMetric } from './objective.ts';
import type { RunState } from './states/run-state.ts';

/** The columns that rank a run. */
export interface RankedRun {
  /** Number within the sweep. */
  readonly runIndex: number;
  readonly state: RunState;
  /** Objective's best value over all stages; null: no epoch was validated. */
  readonly bestValue: number | null;
  /** Validation loss at the best epoch. */
  readonly bestValLoss: number | null;
  /** Validation accuracy at the best epoch. */
  readonly bestValAccuracy: number | null;
}

/** States that a best run can't have: its measurements stay in the record, but it can't be used. */
const UNUSABLE_RUN_STATES: readonly RunState[] = ['FAILED', 'CANCELLED', 'INFEASIBLE'];

/** Returns whether a run can be the best one: it has a finite objective value and did not fail. */
export function canBeBest({ state, bestValue }: Pick<RankedRun, 'state' | 'bestValue'>): boolean {
  return bestValue !== null && Number.isFinite(bestValue) && !UNUSABLE_RUN_STATES.includes(state);
}

/**
 * Orders runs, the best first: runs with a finite objective value, failed ones last; then by that value, by the other validation
 * metric at the best epoch, and by number. The SQL function `run_rank_key` orders alike, and a test compares the two.
 */
export function compareRuns(objective: Objective, a: RankedRun, b: RankedRun): number {
  const [ours, theirs] = [rankKey(objective, a), rankKey(objective, b)];
  for (const [position, value] of ours.entries()) {
    const difference = compareNumbers(value, theirs[position] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Returns the best run; null where no run can be it. */
export function findBest<Run extends RankedRun>(objective: Objective, runs: Iterable<Run>): Run | null {
  let best: Run | null = null;
  for (const run of runs) {
    if (canBeBest(run) && (best === null || compareRuns(objective, run, best) < 0)) best = run;
  }
  return best;
}

/** The metric that decides between runs of the same objective value. */
function tieBreaker({ metric }: Objective): ObjectiveMetric {
  return metric === 'val_loss' ? 'val_accuracy' : 'val_loss';
}

/** Maximum number of tied runs that are named. */
const NAMED_TIES = 5;

/** Returns how a tie for the best value was broken, for example `tied with run 3; broken by val_loss`; empty without a tie. */
export function describeTie(objective: Objective, best: RankedRun, runs: Iterable<RankedRun>): string {
  const tied = [...runs]
    .filter((run) => run.runIndex !== best.runIndex && canBeBest(run) && run.bestValue === best.bestValue)
    .sort((a, b) => compareRuns(objective, a, b));
  if (tied.length === 0) return '';
  const same = tied.filter((run) => compareNumbers(otherKey(objective, run), otherKey(objective, best)) === 0);
  const breaker = tieBreaker(objective);
  const how =
    same.length === 0
      ? `broken by ${breaker}`
      : same.length === tied.length
        ? `${breaker} is the same, so broken by run number`
        : `broken by ${breaker}, then by run number`;
  const named = tied.slice(0, NAMED_TIES).map(({ runIndex }) => runIndex);
  const more = tied.length > NAMED_TIES ? ` and ${tied.length - NAMED_TIES} more` : '';
  return `tied with run${tied.length === 1 ? '' : 's'} ${named.join(', ')}${more}; ${how}`;
}

/** Returns a key that is compared element by element; smaller is better. */
function rankKey(objective: Objective, run: RankedRun): readonly number[] {
  const { bestValue, state, runIndex } = run;
  const hasValue = bestValue !== null && Number.isFinite(bestValue);
  return [
    hasValue ? 0 : 1,
    UNUSABLE_RUN_STATES.includes(state) ? 1 : 0,
    hasValue ? signed(objective.goal, bestValue) : 0,
    otherKey(objective, run),
    runIndex,
  ];
}

function otherKey(objective: Objective, { bestValLoss, bestValAccuracy }: RankedRun): number {
  return tieBreaker(objective) === 'val_loss'
    ? signed('minimize', bestValLoss ?? Number.NaN)
    : signed('maximize', bestValAccuracy ?? Number.NaN);
}

function signed(goal: Objective['goal'], value: number): number {
  return goal === 'maximize' ? -value : value;
}

/** Compares numbers as PostgreSQL does: NaN is the largest, and equal to itself. */
function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : 0;
}
