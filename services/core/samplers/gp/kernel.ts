/** Hyper-parameters of the kernel and the noise, in units of standardised scores. */
export interface KernelParameters {
  /** 1/ℓ² of each dimension. */
  readonly inverseSquaredLengths: Float64Array;
  /** Variance of the function. */
  readonly scale: number;
  /** Variance of the noise that is the same for all scores. */
  readonly noise: number;
}

/** Coordinates of a run: [0, 1] for numbers, the place in its list for a choice, NaN where the dimension does not exist. */
export type Coordinates = Float64Array;

/**
 * A run without a number is beside the middle of those that have it, at a distance that makes it 1 from both ends. So runs are
 * points of a Euclidean space, and the kernel is positive definite; with the same distance from all numbers it is not.
 */
const ABSENT = 0.5;
const BESIDE = 1 - ABSENT ** 2;

/**
 * Returns the squared distance along one dimension: 0 or 1 for choices, of which "absent" is one. Where both runs lack the
 * dimension, they don't differ.
 */
export function squaredDifference(a: number, b: number, isChoice: boolean): number {
  const change = a - b;
  if (Number.isNaN(change)) {
    if (Number.isNaN(a) && Number.isNaN(b)) return 0;
    return isChoice ? 1 : BESIDE + numberDifference(a, b) ** 2;
  }
  return isChoice ? (change === 0 ? 0 : 1) : change * change;
}

/** Returns half of the derivative of `squaredDifference` of numbers by `a`. */
export function numberDifference(a: number, b: number): number {
  return (Number.isNaN(a) ? ABSENT : a) - (Number.isNaN(b) ? ABSENT : b);
}

/** Returns the Matérn 5/2 kernel of scale 1 at a squared distance q: (1 + √(5q) + 5q/3) exp(−√(5q)). */
export function matern(q: number): number {
  const root = Math.sqrt(5 * q);
  return (1 + root + (5 / 3) * q) * Math.exp(-root);
}

/** Returns the derivative of `matern` by q: −5/6 (1 + √(5q)) exp(−√(5q)). */
export function maternSlope(q: number): number {
  const root = Math.sqrt(5 * q);
  return (-5 / 6) * (1 + root) * Math.exp(-root);
}

/** Returns Σ θ Δ² over the dimensions. */
export function weightedDistance(
  a: Coordinates,
  b: Coordinates,
  isChoice: readonly boolean[],
  inverseSquaredLengths: Float64Array,
): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) {
    sum += (inverseSquaredLengths[d] ?? 0) * squaredDifference(a[d] ?? 0, b[d] ?? 0, isChoice[d] === true);
  }
  return sum;
}
