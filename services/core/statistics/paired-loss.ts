import type { Evidence } from './evidence.ts';
import { requireSameImages } from './evidence.ts';
import { quantile } from './quantile.ts';
import { signedRankP } from './signed-rank.ts';
import { studentUpperTail } from './student-t.ts';

/** Part of the differences that is clipped at each end, so that one catastrophic image can't decide. */
const CLIPPED_PART = 0.01;
/** Images from which the mean of the clipped differences is close enough to normal for a t test. */
const T_TEST_FROM = 100;

export interface PairedLosses {
  /** Mean of the clipped differences; above 0: the candidate's loss is larger. */
  readonly meanDifference: number;
  /** One-sided p value; small: the candidate is worse. */
  readonly pValue: number;
}

/**
 * Compares the losses of two runs on the same images: differences clipped to their 1st and 99th percentile, then a one-sided paired
 * t test, or Wilcoxon's signed rank test below 100 images. Null: a run has no losses, or one that is not finite.
 *
 * @throws {RangeError} when the runs have different numbers of images.
 */
export function comparePairedLosses(candidate: Evidence, reference: Evidence): PairedLosses | null {
  requireSameImages(candidate, reference);
  const [ours, theirs] = [candidate.losses, reference.losses];
  if (ours === null || theirs === null) return null;
  const differences = clipped(Float64Array.from(ours, (loss, image) => loss - (theirs[image] ?? Number.NaN)));
  const meanDifference = differences.reduce((sum, value) => sum + value, 0) / differences.length;
  if (!Number.isFinite(meanDifference)) return null;
  const pValue =
    differences.length < T_TEST_FROM ? signedRankP([...differences]) : upperTOf(differences, meanDifference);
  return { meanDifference, pValue };
}

function clipped(differences: Float64Array): Float64Array {
  const sorted = differences.toSorted();
  const [low, high] = [quantile(sorted, CLIPPED_PART), quantile(sorted, 1 - CLIPPED_PART)];
  return differences.map((value) => Math.min(Math.max(value, low), high));
}

function upperTOf(differences: Float64Array, mean: number): number {
  const freedom = differences.length - 1;
  const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / freedom;
  // Equal differences: no doubt about their sign, and none at all where all are 0.
  if (variance === 0) return mean === 0 ? 0.5 : Number(mean < 0);
  return studentUpperTail(mean / Math.sqrt(variance / differences.length), freedom);
}
