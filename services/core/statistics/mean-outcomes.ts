import type { Evidence } from './evidence.ts';

/** Quantity that is compared image by image: whether an image was classified correctly, or its loss. */
export type Outcome = 'correct' | 'loss';

/** The outcome of a run for each validation image, averaged over the seeds that it was trained with. */
export type MeanOutcomes = Float64Array;

/**
 * Returns the mean outcome of each image over the trainings of a run; null: none of them has results by image.
 *
 * @param trainings one for each seed; those without results, or of another number of images than the first, are left out.
 */
export function meanOutcomes(outcome: Outcome, trainings: readonly (Evidence | null)[]): MeanOutcomes | null {
  const usable = trainings.flatMap((one) => (one === null || (outcome === 'loss' && one.losses === null) ? [] : [one]));
  const count = usable[0]?.count ?? 0;
  const same = usable.filter((one) => one.count === count);
  if (count === 0) return null;
  const means = Float64Array.from({ length: count }, (_, image) => {
    return same.reduce((sum, one) => sum + outcomeOf(outcome, one, image), 0) / same.length;
  });
  return means.every(Number.isFinite) ? means : null;
}

function outcomeOf(outcome: Outcome, { correct, losses }: Evidence, image: number): number {
  return outcome === 'loss' ? (losses?.[image] ?? Number.NaN) : ((correct[image >> 3] ?? 0) >> (image & 7)) & 1;
}

/** A mean difference with its standard error. */
export interface PairedDifference {
  readonly mean: number;
  readonly standardError: number;
}

/**
 * Returns the difference of two runs over the images on which both were measured, a − b, and its standard error s/√n. Null: they have
 * different images, or fewer than 2.
 */
export function pairedDifference(a: MeanOutcomes, b: MeanOutcomes): PairedDifference | null {
  const count = a.length;
  if (count !== b.length || count < 2) return null;
  let [sum, squares] = [0, 0];
  for (let image = 0; image < count; image++) {
    const difference = (a[image] ?? 0) - (b[image] ?? 0);
    sum += difference;
    squares += difference * difference;
  }
  const mean = sum / count;
  const variance = Math.max(0, squares / count - mean * mean) * (count / (count - 1));
  return { mean, standardError: Math.sqrt(variance / count) };
}
