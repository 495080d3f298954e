import type { Spending } from './budget.ts';
import type { FinalRun } from './finalists.ts';
import type { RungStep } from './ladder.ts';
import { stepAfter } from './ladder.ts';
import type { SearchPolicy } from './policy.ts';
import type { RungEntry, RungTable } from './rung-table.ts';
import type { ScreenCandidate } from './screen/candidate.ts';

/**
 * States of a run in a search. BELOW: it has no task yet and will get one without a promotion. TRAINING: a task that trains it is ready
 * or running. PAUSING: it has entered the rung at which its task ends, and the task has not ended yet. PAUSED: it waits at its highest
 * rung. DONE: it was trained to its end. STOPPED: a rule or a person ended it.
 */
export const SEARCH_RUN_STATUSES = [
  'BELOW',
  'TRAINING',
  'PAUSING',
  'PAUSED',
  'DONE',
  'STOPPED',
  'FAILED',
  'INFEASIBLE',
] as const;
export type SearchRunStatus = (typeof SEARCH_RUN_STATUSES)[number];

export interface SearchRun {
  readonly index: number;
  readonly status: SearchRunStatus;
  /** Highest rung that it entered; null: none yet. */
  readonly rung: number | null;
  readonly path: readonly RungStep[];
  /** Forecast slot-seconds to its next rung. */
  readonly nextSeconds: number;
  /** Rungs from which it was promoted only because a slot was idle. */
  readonly idleFrom: readonly number[];
  /** Number of the run of which it is another seed. Such a run comes to no rung. Absent: it is none. */
  readonly repeatOf?: number;
  /** Round that it came with; absent: the sweep has no rounds, or a person added it. */
  readonly round?: number;
}

/** Rounds of an adaptive sweep so far, and what bounds them now. */
export interface RoundsState {
  /** Number of rounds, the first one included. */
  readonly asked: number;
  /** Null: only a budget bounds the runs. */
  readonly maxRuns: number | null;
  /** True: the latest round brought fewer runs than were asked for. */
  readonly isExhausted: boolean;
  /** Rounds without a distinguishable improvement after which none follows; null: no bound. */
  readonly patienceRounds: number | null;
  /** Slot-seconds of attempts that trained heads, lost ones included. */
  readonly headSeconds: number;
  /** Slot-seconds of attempts that computed features. */
  readonly featureSeconds: number;
}

/** Everything that a promotion may depend on, as it is when a task has ended. */
export interface SearchState {
  /** Entries by arrival, for each rung of the ladder. */
  readonly rungs: readonly (readonly RungEntry[])[];
  readonly runs: readonly SearchRun[];
  readonly slots: {
    /** Slots that may work on the sweep at once. */
    readonly count: number;
    /** Slots for which no task of any sweep is ready. */
    readonly idle: number;
  };
  /** Tasks of the sweep that are ready or running. */
  readonly openTasks: number;
  readonly spending: Spending;
  /** Runs trained to their end, by rank, the best first; absent until finalists can be chosen. */
  readonly finals?: readonly FinalRun[];
  /** Present exactly while a screen has not decided. */
  readonly screen?: ScreenState;
  /** Present exactly in adaptive sweeps. */
  readonly rounds?: RoundsState;
}

/** A screen that has not decided. */
export interface ScreenState {
  readonly candidates: readonly ScreenCandidate[];
  /** Probes that have not ended. */
  readonly openCount: number;
}

/**
 * Returns a rung's table at this moment: failed runs count, infeasible ones have left it. In a synchronous sweep their entries stay,
 * because what is decided about a complete rung must not depend on when a run turns out to be infeasible later.
 */
export function tableAt(
  { ladder, synchronous }: SearchPolicy,
  state: {
    readonly rungs: SearchState['rungs'];
    readonly runs: readonly Pick<SearchRun, 'index' | 'status' | 'rung' | 'path'>[];
  },
  rung: number,
): RungTable {
  const definition = ladder[rung];
  const stored = state.rungs[rung];
  if (definition === undefined || stored === undefined) throw new RangeError(`There is no rung ${rung}.`);
  const left = new Set(state.runs.filter(({ status }) => status === 'INFEASIBLE').map(({ index }) => index));
  const entries = synchronous ? stored : stored.filter(({ runIndex }) => !left.has(runIndex));
  return { definition, entries, failedCount: failedBefore(state.runs, rung) };
}

/** Returns the number of runs that failed on their way to a rung. */
function failedBefore(runs: readonly Pick<SearchRun, 'status' | 'rung' | 'path'>[], rung: number): number {
  return runs.filter(({ status, rung: last, path }) => status === 'FAILED' && stepAfter(path, last)?.rung === rung)
    .length;
}

/** Returns whether a run without a promotion may still enter a rung. */
export function isComing({ status, rung: last, path }: SearchRun, rung: number): boolean {
  return (
    (status === 'BELOW' || status === 'TRAINING') && (last ?? -1) < rung && path.some((step) => step.rung === rung)
  );
}

/**
 * Returns the entries of a run below a rung in the rung's stage, in order.
 *
 * @param absent rungs at which it had no entry yet
 */
export function earlierEntries(
  { ladder }: Pick<SearchPolicy, 'ladder'>,
  rungs: readonly (readonly RungEntry[])[],
  runIndex: number,
  rung: number,
  absent: readonly number[] = [],
): readonly RungEntry[] {
  const lower = ladder.filter(
    ({ number, stage }) => number < rung && stage === ladder[rung]?.stage && !absent.includes(number),
  );
  return lower.flatMap(({ number }) => rungs[number]?.filter((entry) => entry.runIndex === runIndex) ?? []);
}

/** Returns the rungs below one in its stage that a run has passed without an entry: its trainer has reported none yet. */
export function absentBelow(
  rungs: readonly (readonly RungEntry[])[],
  path: readonly RungStep[],
  runIndex: number,
  rung: number,
): readonly number[] {
  const stage = path.find((step) => step.rung === rung)?.stage;
  return path
    .filter((step) => step.rung < rung && step.stage === stage)
    .map((step) => step.rung)
    .filter((lower) => rungs[lower]?.some((entry) => entry.runIndex === runIndex) !== true);
}
