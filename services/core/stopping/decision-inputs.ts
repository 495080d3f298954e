import type { Spending } from './budget.ts';
import { isBounded } from './budget.ts';
import type { FinalRun } from './finalists.ts';
import type { RungStep } from './ladder.ts';
import type { SearchPolicy } from './policy.ts';
import type { Arrival } from './rule.ts';
import type { Evidence } from '../statistics/evidence.ts';
import type { RungEntry } from './rung-table.ts';
import type { ScreenCandidate } from './screen/candidate.ts';
import type { RoundsState, SearchRun, SearchRunStatus, SearchState } from './search-state.ts';
import { SEARCH_RUN_STATUSES, earlierEntries } from './search-state.ts';

/** Inputs of a verdict that are no rows: with the entries of the sweep they give the {@link Arrival}. */
export interface VerdictInputs {
  /** The table had the entries up to this arrival. */
  readonly arrivals: number;
  /** Arrivals that were not in it, because their runs had left. */
  readonly left?: readonly number[];
  readonly failed?: number;
  readonly trainedOn?: true;
  readonly unreported?: true;
  readonly reused?: true;
  /** Earlier rungs of the same stage at which the run had no entry yet. */
  readonly absent?: readonly number[];
}

/** Inputs of a promotion or an end that are no rows: with the entries of the sweep they give the {@link SearchState}. */
export interface ActionInputs {
  /** Number of entries of each rung. */
  readonly arrivals: readonly number[];
  /** Status of each run by run number, a letter each: the first one of its name, W for PAUSING, X for INFEASIBLE. */
  readonly runs: string;
  /** Rungs from which a run was promoted only because a slot was idle, by run number. */
  readonly idleFrom?: Readonly<Record<string, readonly number[]>>;
  /** Forecast of waiting runs by run number; only where slot-seconds are bounded. */
  readonly nextSeconds?: Readonly<Record<string, number>>;
  readonly slots: SearchState['slots'];
  readonly openTasks: number;
  readonly spending: Spending;
  /** Only while a screen has not decided: the number of its candidates, and of probes that have not ended. */
  readonly screen?: { readonly candidateCount: number; readonly openCount: number };
  /** Runs trained to their end, by rank; absent where no finalists can be chosen. Their results by image are rows. */
  readonly finals?: readonly StoredFinal[];
  /** Only of adaptive sweeps. */
  readonly rounds?: RoundsState;
}

/** Inputs of a round, with the number of runs that it brought: the space may have had fewer than were asked for. */
export interface RoundInputs extends ActionInputs {
  readonly suggested: number;
}

/** A candidate for repetition without its results by image. */
export type StoredFinal = Omit<FinalRun, 'evidence'>;

/** Rows that stored inputs refer to. */
export interface StoredSearch {
  readonly policy: SearchPolicy;
  /** Entries by arrival, for each rung of the ladder. */
  readonly rungs: readonly (readonly RungEntry[])[];
  /** The way of each run, by run number. */
  readonly paths: readonly (readonly RungStep[])[];
  /** Candidates of the screen by position; absent: there is none. */
  readonly candidates?: readonly ScreenCandidate[];
  /** Number of the run of which a run is another seed, by run number. Absent: no run is repeated. */
  readonly repeats?: ReadonlyMap<number, number>;
  /** Results by image of candidates for repetition, by run number. */
  readonly finalEvidence?: ReadonlyMap<number, Evidence>;
  /** Round of each run, by run number; null: it came with none. Absent: the sweep has no rounds. */
  readonly runRounds?: readonly (number | null)[];
}

export function verdictInputs({ table, trainedOn, unreported, reused, absent = [] }: Arrival): VerdictInputs {
  const there = new Set(table.entries.map(({ arrival }) => arrival));
  const arrivals = Math.max(0, ...there);
  const left = Array.from({ length: arrivals }, (_, index) => index + 1).filter((arrival) => !there.has(arrival));
  return {
    arrivals,
    ...(left.length > 0 ? { left } : {}),
    ...(table.failedCount > 0 ? { failed: table.failedCount } : {}),
    ...(trainedOn === true ? { trainedOn } : {}),
    ...(unreported === true ? { unreported } : {}),
    ...(reused === true ? { reused } : {}),
    ...(absent.length > 0 ? { absent } : {}),
  };
}

/** Returns the arrival of a run at a rung as it was judged; null: it has no entry there. */
export function arrivalOf(
  { policy, rungs, paths }: StoredSearch,
  runIndex: number,
  rung: number,
  { arrivals, left = [], failed = 0, trainedOn, unreported, reused, absent = [] }: VerdictInputs,
): Arrival | null {
  const definition = policy.ladder[rung];
  const seen = (rungs[rung] ?? []).filter(({ arrival }) => arrival <= arrivals && !left.includes(arrival));
  const entry = seen.find((candidate) => candidate.runIndex === runIndex);
  if (definition === undefined || entry === undefined) return null;
  return {
    table: { definition, entries: seen, failedCount: failed },
    entry,
    earlier: earlierEntries(policy, rungs, runIndex, rung, absent),
    path: paths[runIndex] ?? [],
    absent,
    ...(trainedOn === true ? { trainedOn } : {}),
    ...(unreported === true ? { unreported } : {}),
    ...(reused === true ? { reused } : {}),
  };
}

/**
 * Returns the inputs of a decision about a state.
 *
 * @param state its runs are those of the sweep by run number, without gaps.
 */
export function actionInputs(state: SearchState): ActionInputs {
  const { rungs, runs, slots, openTasks, spending, screen, finals, rounds } = state;
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
    ...(screen && { screen: { candidateCount: screen.candidates.length, openCount: screen.openCount } }),
    ...(finals === undefined ? {} : { finals: finals.map(withoutEvidence) }),
    ...(rounds === undefined ? {} : { rounds }),
  };
}

/** Returns what a decision stores of a candidate: its results by image are rows. */
function withoutEvidence({ index, value, modelBytes, isHeadOnly, seconds }: FinalRun): StoredFinal {
  return { index, value, modelBytes, isHeadOnly, seconds };
}

/** Returns the state that an action was decided from. */
export function stateOf(stored: StoredSearch, inputs: ActionInputs): SearchState {
  const { paths, candidates = [], runRounds = [], repeats, finalEvidence } = stored;
  const rungs = stored.rungs.map((entries, rung) =>
    entries.filter(({ arrival }) => arrival <= (inputs.arrivals[rung] ?? 0)),
  );
  const highest = new Map(rungs.flatMap((entries, rung) => entries.map(({ runIndex }) => [runIndex, rung] as const)));
  const runs = Array.from(inputs.runs, (letter, index): SearchRun => ({
    index,
    ...roundOf(runRounds, index),
    status: statusOf(letter),
    rung: highest.get(index) ?? null,
    path: paths[index] ?? [],
    nextSeconds: inputs.nextSeconds?.[index] ?? 0,
    idleFrom: inputs.idleFrom?.[index] ?? [],
    ...repeatOf(repeats?.get(index)),
  }));
  const { slots, openTasks, spending, screen, finals, rounds } = inputs;
  const withEvidence = finals?.map((run) => ({ ...run, evidence: finalEvidence?.get(run.index) ?? null }));
  return {
    rungs,
    runs,
    slots,
    openTasks,
    spending,
    ...(screen && {
      screen: { candidates: candidates.slice(0, screen.candidateCount), openCount: screen.openCount },
    }),
    ...(rounds && { rounds }),
    ...(withEvidence === undefined ? {} : { finals: withEvidence }),
  };
}

/** Returns the field of a run that is another seed of one; nothing of any other run. */
export function repeatOf(index: number | null | undefined): Pick<SearchRun, 'repeatOf'> {
  return index === null || index === undefined ? {} : { repeatOf: index };
}

function roundOf(runRounds: readonly (number | null)[], index: number): Pick<SearchRun, 'round'> {
  const round = runRounds[index] ?? null;
  return round === null ? {} : { round };
}

const LETTERS: Readonly<Record<SearchRunStatus, string>> = {
  BELOW: 'B',
  TRAINING: 'T',
  PAUSING: 'W',
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
