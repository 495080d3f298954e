import { normalQuantile } from '../../../services/core/statistics/normal.ts';

/** A mean with its 95 % interval. */
export interface Mean {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Returns the mean of independent values; of paired differences it is the paired comparison. At least two values. */
export function meanOf(values: readonly number[]): Mean {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const half = normalQuantile(0.975) * Math.sqrt(variance / count);
  return { mean, low: mean - half, high: mean + half };
}

/** Returns the mean of each seed's values, which are in the order of the seeds: worlds of one seed are not independent. */
export function bySeed(values: readonly number[], seedCount: number): number[] {
  const each = values.length / seedCount;
  return Array.from({ length: seedCount }, (_, seed) => {
    const own = values.slice(seed * each, (seed + 1) * each);
    return own.reduce((sum, value) => sum + value, 0) / each;
  });
}
