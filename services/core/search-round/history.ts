import type { HistoryRun, Score } from '../samplers/model/history.ts';
import { headEndOf } from '../stopping/ladder.ts';
import type { SearchPolicy } from '../stopping/policy.ts';
import type { RungEntry } from '../stopping/rung-table.ts';
import type { SearchRun, SearchState } from '../stopping/search-state.ts';
import type { Parameters } from '../sweep/sweep-spec.ts';

/** Scored runs that a model is fitted on: the last ones, and the best of those before. A round then costs the same after any number. */
const LAST_RUNS = 1_000;
const BEST_RUNS = 100;

/**
 * Returns what the model of the heads knows: each run with its value at the end of the head, or at its first rung if it has no head. That
 * of a run which was stopped inside the head is its last value there.
 */
export function headHistory(policy: SearchPolicy, state: SearchState, parameters: readonly Parameters[]): HistoryRun[] {
  const scores = new Scores(policy, state);
  return capped(
    ownRuns(state).map((run): HistoryRun => {
      const end = headEndOf(run.path) ?? run.path[0];
      const within = run.path.filter(({ rung }) => rung <= (end?.rung ?? -1)).map(({ rung }) => rung);
      const score = scores.highest(run, within);
      const status = statusOf(run, score, score?.rung === end?.rung);
      return { index: run.index, parameters: parameters[run.index] ?? {}, status, score };
    }),
  );
}

/**
 * Returns what the model of fine-tuning knows: each run with its value at the highest rung of fine-tuning that it has come to. Runs that
 * were not promoted say nothing about fine-tuning, and are left out; a run without fine-tuning has its value at its end.
 */
export function fineTuneHistory(
  policy: SearchPolicy,
  state: SearchState,
  parameters: readonly Parameters[],
): HistoryRun[] {
  const scores = new Scores(policy, state);
  return capped(
    ownRuns(state).flatMap((run): HistoryRun[] => {
      const tuned = run.path.filter(({ stage }) => stage === 'FINE_TUNE').map(({ rung }) => rung);
      const last = run.path.at(-1);
      const score = scores.highest(run, tuned.length > 0 ? tuned : run.path.map(({ rung }) => rung));
      const started = run.rung !== null && (run.status === 'TRAINING' || run.status === 'FAILED');
      if (score === null && !started && run.status !== 'INFEASIBLE') return [];
      const status =
        score === null && run.status === 'TRAINING' ? 'PENDING' : statusOf(run, score, score?.rung === last?.rung);
      return [{ index: run.index, parameters: parameters[run.index] ?? {}, status, score }];
    }),
  );
}

/** Returns the runs without the repetitions of others with further seeds, which a score includes. */
function ownRuns({ runs }: SearchState): readonly SearchRun[] {
  return runs.filter(({ repeatOf }) => repeatOf === undefined);
}

/** Returns the status of a run in a history. @param isComplete whether its score is that of its end */
function statusOf({ status }: SearchRun, score: Score | null, isComplete: boolean): HistoryRun['status'] {
  if (score !== null) return isComplete ? 'SCORED' : 'STOPPED';
  if (status === 'INFEASIBLE') return 'INFEASIBLE';
  return status === 'BELOW' || status === 'TRAINING' || status === 'PAUSING' ? 'PENDING' : 'STOPPED';
}

/** The entries of a search by rung and run, as scores of which the larger one is better. */
class Scores {
  readonly #entries: readonly ReadonlyMap<number, RungEntry>[];
  readonly #sign: number;

  constructor({ objective }: SearchPolicy, { rungs }: SearchState) {
    this.#sign = signOf(objective);
    this.#entries = rungs.map((entries) => new Map(entries.map((entry) => [entry.runIndex, entry])));
  }

  /** Returns the score of a run at the highest of some rungs where it has one. */
  highest({ index }: SearchRun, rungs: readonly number[]): Score | null {
    for (const rung of rungs.toReversed()) {
      const entry = this.#entries[rung]?.get(index);
      if (entry === undefined || Number.isNaN(entry.value)) continue;
      const variance = entry.standardError === null ? null : entry.standardError ** 2;
      return { value: this.#sign * entry.value, variance, rung };
    }
    return null;
  }
}

/** Returns 1 where a larger value of the objective is better, else -1. */
export function signOf({ goal }: SearchPolicy['objective']): 1 | -1 {
  return goal === 'maximize' ? 1 : -1;
}

/** Returns the runs without those that neither are among the last nor among the best. */
function capped(history: readonly HistoryRun[]): HistoryRun[] {
  const ended = history.filter(({ status }) => status !== 'PENDING');
  if (ended.length <= LAST_RUNS + BEST_RUNS) return [...history];
  const earlier = ended.slice(0, -LAST_RUNS).filter(({ score }) => score !== null);
  const best = earlier.toSorted((a, b) => (b.score?.value ?? 0) - (a.score?.value ?? 0) || a.index - b.index);
  const kept = new Set([...ended.slice(-LAST_RUNS), ...best.slice(0, BEST_RUNS)]);
  return history.filter((run) => run.status === 'PENDING' || kept.has(run));
}
