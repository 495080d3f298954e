import type { Spending } from './budget.ts';
import { isBounded } from './budget.ts';
import type { RungStep } from './ladder.ts';
import type { SearchPolicy } from './policy.ts';
import type { Arrival } from './rule.ts';
import type { RungEntry } from './rung-table.ts';
import type { SearchRun, SearchRunStatus, SearchState } from './search-state.ts';
import { SEARCH_RUN_STATUSES, earlierEntries } from './search-state.ts';

/** Inputs of a verdict that are no rows: with the entries of the sweep they give the {@link Arrival}. */
export interface VerdictInputs {
  /** The table had the entries up to this arrival. */
  readonly arrivals: number;
  /** Arrivals that were not in it, because their runs had left. */
  readonly left?: readonly number[];
  readonly failed?: number;
  readonly trainedOn?: true;
  readonly reused?: true;
}

/** Inputs of a promotion or an end that are no rows: with the entries of the sweep they give the {@link SearchState}. */
export interface ActionInputs {
  /** Number of entries of each rung. */
  readonly arrivals: readonly number[];
  /** Status of each run by run number, a letter each: the first one of its name, X for INFEASIBLE. */
  readonly runs: string;
  /** Rungs from which a run was promoted only because a slot was idle, by run number. */
  readonly idleFrom?: Readonly<Record<string, readonly number[]>>;
  /** Forecast of waiting runs by run number; only where slot-seconds are bounded. */
  readonly nextSeconds?: Readonly<Record<string, number>>;
  readonly slots: SearchState['slots'];
  readonly openTasks: number;
  readonly spending: Spending;
}

/** Rows that stored inputs refer to. */
export interface StoredSearch {
  readonly policy: SearchPolicy;
  /** Entries by arrival, for each rung of the ladder. */
  readonly rungs: readonly (readonly RungEntry[])[];
  /** The way of each run, by run number. */
  readonly paths: readonly (readonly RungStep[])[];
}

export function verdictInputs({ table, trainedOn, reused }: Arrival): VerdictInputs {
  const there = new Set(table.entries.map(({ arrival }) => arrival));
  const arrivals = Math.max(0, ...there);
  const left = Array.from({ length: arrivals }, (_, index) => index + 1).filter((arrival) => !there.has(arrival));
  return {
    arrivals,
    ...(left.length > 0 ? { left } : {}),
    ...(table.failedCount > 0 ? { failed: table.failedCount } : {}),
    ...(trainedOn === true ? { trainedOn } : {}),
    ...(reused === true ? { reused } : {}),
  };
}

/** Returns the arrival of a run at a rung as it was judged; null: it has no entry there. */
export function arrivalOf(
  { policy, rungs, paths }: StoredSearch,
  runIndex: number,
  rung: number,
  { arrivals, left = [], failed = 0, trainedOn, reused }: VerdictInputs,
): Arrival | null {
  const definition = policy.ladder[rung];
  const seen = (rungs[rung] ?? []).filter(({ arrival }) => arrival <= arrivals && !left.includes(arrival));
  const entry = seen.find((candidate) => candidate.runIndex === runIndex);
  if (definition === undefined || entry === undefined) return null;
  return {
    table: { definition, entries: seen, failedCount: failed },
    entry,
    earlier: earlierEntries(policy, rungs, runIndex, rung),
    path: paths[runIndex] ?? [],
    ...(trainedOn === true ? { trainedOn } : {}),
    ...(reused === true ? { reused } : {}),
  };
}

/**
 * Returns the inputs of a decision about a state.
 *
 * @param state its runs are those of the sweep by run number, without gaps.
 */
export function actionInputs({ rungs, runs, slots, openTasks, spending }: SearchState): ActionInputs {
  const idleFrom = runs.filter((run) => run.idleFrom.length > 0).map((run) => [run.index, run.idleFrom]);
  const waiting = runs.filter(({ status }) => status === 'PAUSED').map((run) => [run.index, run.nextSeconds]);
  return {
    arrivals: rungs.map(({ length }) => length),
    runs: runs.map(({ status }) => LETTERS[status]).join(''),
    ...(idleFrom.length > 0 ? { idleFrom: Object.fromEntries(idleFrom) as Record<string, number[]> } : {}),
    ...(isBounded(spending.budget) ? { nextSeconds: Object.fromEntries(waiting) as Record<string, number> } : {}),
    slots,
    openTasks,
    spending,
  };
}

/** Returns the state that an action was decided from. */
export function stateOf({ rungs: stored, paths }: StoredSearch, inputs: ActionInputs): SearchState {
  const rungs = stored.map((entries, rung) => entries.filter(({ arrival }) => arrival <= (inputs.arrivals[rung] ?? 0)));
  const highest = new Map(rungs.flatMap((entries, rung) => entries.map(({ runIndex }) => [runIndex, rung] as const)));
  const runs = Array.from(inputs.runs, (letter, index): SearchRun => ({
    index,
    status: statusOf(letter),
    rung: highest.get(index) ?? null,
    path: paths[index] ?? [],
    nextSeconds: inputs.nextSeconds?.[index] ?? 0,
    idleFrom: inputs.idleFrom?.[index] ?? [],
  }));
  return { rungs, runs, slots: inputs.slots, openTasks: inputs.openTasks, spending: inputs.spending };
}

const LETTERS: Readonly<Record<SearchRunStatus, string>> = {
  BELOW: 'B',
  TRAINING: 'T',
  PAUSED: 'P',
  DONE: 'D',
  STOPPED: 'S',
  FAILED: 'F',
  INFEASIBLE: 'X',
};

function statusOf(letter: string): SearchRunStatus {
  const status = SEARCH_RUN_STATUSES.find((name) => LETTERS[name] === letter);
  if (status === undefined) throw new RangeError(`There is no status '${letter}' of a run.`);
  return status;
}
