import { createStream } from '../rng/stream.ts';
import { quantile } from './quantile.ts';
import type { Interval } from './wilson-interval.ts';

export interface PairedComparison {
  /** Accuracy of the winner minus accuracy of the baseline. */
  readonly difference: number;
  /** 95 % interval of the difference, percentile method. */
  readonly interval: Interval;
  /** Number of images that only the winner gets right. */
  readonly winnerOnly: number;
  /** Number of images that only the baseline gets right. */
  readonly baselineOnly: number;
  readonly imageCount: number;
  /** False: the interval contains 0, and the two must be called "not distinguishable". */
  readonly distinguishable: boolean;
}

const DEFAULT_RESAMPLES = 10_000;

/**
 * Compares two runs on the same test images by resampling images (Efron and Tibshirani 1993, chapter 13): what counts is the
 * difference per image, so that images that both get right or wrong add no noise.
 *
 * A resample draws n images with replacement; its difference depends only on how many of the drawn ones are winner-only and
 * baseline-only.
 *
 * @param winnerCorrect and `baselineCorrect`: for the same images in the same order.
 * @throws RangeError for different lengths.
 * @param seed the same seed gives the same interval.
 */
export function pairedBootstrap(
  winnerCorrect: readonly boolean[],
  baselineCorrect: readonly boolean[],
  seed: number,
  resamples = DEFAULT_RESAMPLES,
): PairedComparison {
  const imageCount = winnerCorrect.length;
  if (baselineCorrect.length !== imageCount || imageCount === 0) {
    throw new RangeError(
      `Both runs must have the same images, at least one; received ${imageCount} and ${baselineCorrect.length}.`,
    );
  }
  const differences = Int8Array.from(winnerCorrect, (right, i) => Number(right) - Number(baselineCorrect[i]));
  const winnerOnly = differences.filter((difference) => difference > 0).length;
  const baselineOnly = differences.filter((difference) => difference < 0).length;
  const sums = resampledSums(differences, seed, resamples).sort();
  const interval = {
    low: quantile(sums, 0.025) / imageCount,
    high: quantile(sums, 0.975) / imageCount,
  };
  return {
    difference: (winnerOnly - baselineOnly) / imageCount,
    interval,
    winnerOnly,
    baselineOnly,
    imageCount,
    distinguishable: interval.low > 0 || interval.high < 0,
  };
}

function resampledSums(differences: Int8Array, seed: number, resamples: number): Int32Array {
  const count = differences.length;
  const uniforms = new Float32Array(count);
  const stream = createStream(seed, 'paired-bootstrap', count);
  return Int32Array.from({ length: resamples }, () => {
    stream.fillUniform(uniforms);
    let sum = 0;
    for (let index = 0; index < count; index++) {
      sum += differences[Math.floor((uniforms[index] ?? 0) * count)] ?? 0;
    }
    return sum;
  });
}
