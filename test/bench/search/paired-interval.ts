import { studentUpperTail } from '../../../services/core/statistics/student-t.ts';

/** A mean with its 95 % interval. */
export interface Mean {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Part of the distribution above an end of the interval. */
const TAIL = 0.025;
/** An upper bound of Student's t for the interval of two values, which is 12.7. */
const LARGEST_T = 16;
const BISECTIONS = 40;

/**
 * Returns the mean of independent values with Student's interval; of paired differences it is the paired comparison.
 *
 * @throws {RangeError} when there are fewer than two values.
 */
export function meanOf(values: readonly number[]): Mean {
  const count = values.length;
  if (count < 2) throw new RangeError(`A mean with an interval takes at least 2 values; received ${count}.`);
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const half = studentQuantile(count - 1) * Math.sqrt(variance / count);
  return { mean, low: mean - half, high: mean + half };
}

/** Returns the t that a number of Student's distribution exceeds with probability `TAIL`, by bisection. */
function studentQuantile(freedom: number): number {
  let [low, high] = [0, LARGEST_T];
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (low + high) / 2;
    if (studentUpperTail(middle, freedom) > TAIL) low = middle;
    else high = middle;
  }
  return high;
}

/** Returns the mean of each seed's values, which are in the order of the seeds: worlds of one seed are not independent. */
export function bySeed(values: readonly number[], seedCount: number): number[] {
  const each = values.length / seedCount;
  return Array.from({ length: seedCount }, (_, seed) => {
    const own = values.slice(seed * each, (seed + 1) * each);
    return own.reduce((sum, value) => sum + value, 0) / each;
  });
}
