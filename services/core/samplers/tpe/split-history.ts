import type { HistoryRun } from '../model/history.ts';

/** Part of the runs that count as good, and the largest number of them. */
const GOOD_PART = 0.1;
const MOST_GOOD = 25;

export interface SplitHistory {
  /** The best runs, by run number. */
  readonly good: readonly HistoryRun[];
  /** All others, with those that are planned or training, by run number. */
  readonly rest: readonly HistoryRun[];
}

/**
 * Splits runs as Optuna 5.0.0 does (`samplers/_tpe/sampler.py`): a tenth of those that have ended, rounded up, at most 25. Runs
 * trained to their end come first by value; then stopped ones by their rung, the higher first, and the value there, those without a
 * value last; then infeasible ones. Runs without a result are in the rest, so that a batch does not repeat itself.
 */
export function splitHistory(history: readonly HistoryRun[]): SplitHistory {
  const ended = history.filter(({ status }) => status !== 'PENDING');
  const count = Math.min(Math.ceil(GOOD_PART * ended.length), MOST_GOOD);
  const ranked = ended.toSorted((a, b) => compareKeys(rankKey(a), rankKey(b)) || a.index - b.index);
  const good = new Set(ranked.slice(0, count));
  const byNumber = history.toSorted((a, b) => a.index - b.index);
  return { good: byNumber.filter((run) => good.has(run)), rest: byNumber.filter((run) => !good.has(run)) };
}

type RankKey = readonly [group: number, rung: number, value: number];

function rankKey({ status, score }: HistoryRun): RankKey {
  if (status === 'INFEASIBLE') return [2, 0, 0];
  if (status === 'SCORED' && score !== null) return [0, 0, -score.value];
  return score === null ? [1, 1, 0] : [1, -score.rung, -score.value];
}

function compareKeys(a: RankKey, b: RankKey): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
