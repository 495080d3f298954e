import type { Interval } from './wilson-interval.ts';

/** A median with an interval that makes no assumption on the distribution of the values. */
export interface MedianInterval {
  readonly median: number;
  /** Ends of the interval, two of the values; null for a single value. */
  readonly interval: Interval | null;
  /** Probability that the interval covers the population's median; 0 for a single value. */
  readonly coverage: number;
}

const WANTED_COVERAGE = 0.95;

/**
 * Returns the median and its interval between order statistics (H. A. David and H. N. Nagaraja, Order Statistics, 2003, section 7.1):
 * the narrowest pair of the k-th smallest and the k-th largest value that covers the median with at least 95 %. Fewer than six values
 * can't; their interval is from the smallest to the largest, and `coverage` says what it has.
 *
 * @param values at least one; no NaN.
 * @throws RangeError without values.
 */
export function medianInterval(values: readonly number[]): MedianInterval {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  if (count === 0) throw new RangeError('There must be at least one value; received none.');
  const median = ((sorted[(count - 1) >> 1] ?? 0) + (sorted[count >> 1] ?? 0)) / 2;
  if (count === 1) return { median, interval: null, coverage: 0 };
  // P(fewer than k of the values are below the median), a sum of binomial probabilities at 1/2.
  let outside = 0;
  let coverage = 0;
  let rank = 0;
  let logChoices = 0;
  for (let k = 0; k < count / 2; k++) {
    outside += Math.exp(logChoices - count * Math.LN2);
    const covered = 1 - 2 * outside;
    if (rank > 0 && covered < WANTED_COVERAGE) break;
    rank = k + 1;
    coverage = covered;
    logChoices += Math.log(count - k) - Math.log(k + 1);
  }
  return { median, interval: { low: sorted[rank - 1] ?? 0, high: sorted[count - rank] ?? 0 }, coverage };
}
