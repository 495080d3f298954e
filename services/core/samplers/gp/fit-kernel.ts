import { Cholesky } from './cholesky.ts';
import { matern, maternSlope, squaredDifference, weightedDistance } from './kernel.ts';
import type { Coordinates, KernelParameters } from './kernel.ts';
import { minimize } from './minimize.ts';

/** Scores of runs at their coordinates. */
export interface TrainingSet {
  readonly points: readonly Coordinates[];
  /** Flag of each dimension: true for a choice. */
  readonly isChoice: readonly boolean[];
  /** Standardised: mean 0, deviation 1; larger is better. */
  readonly scores: Float64Array;
  /** Known variance of each score, in the same units; 0 where it is unknown. */
  readonly variances: Float64Array;
}

/** Smallest variance of the noise. */
const MIN_NOISE = 1e-6;
/** Smaller tolerances make the fit unstable (Optuna). */
const GRADIENT_TOLERANCE = 1e-2;
const MAX_STEPS = 200;

/**
 * Fits the kernel by the maximum of likelihood and priors, from 1 for each parameter. The priors are those of Optuna 5.0.0
 * (`_gp/prior.py`): −(0.1/θ + 0.1 θ) for each 1/ℓ², Gamma(2, 1) for the scale, Gamma(1.1, rate 30) for the noise.
 */
export function fitKernel(data: TrainingSet): KernelParameters {
  const count = data.isChoice.length + 2;
  const start = new Float64Array(count);
  start[count - 1] = Math.log(1 - 0.99 * MIN_NOISE);
  const differences = squaredDifferences(data);
  const objective = (raw: Float64Array) => negativeLogPosterior(data, differences, raw);
  const { x } = minimize(objective, start, { gradientTolerance: GRADIENT_TOLERANCE, maxSteps: MAX_STEPS });
  return kernelOf(x);
}

/** Returns the kernel of ln θ…, ln scale, ln(noise − `MIN_NOISE`). */
export function kernelOf(raw: Float64Array): KernelParameters {
  const count = raw.length - 2;
  return {
    inverseSquaredLengths: raw.slice(0, count).map(Math.exp),
    scale: Math.exp(raw[count] ?? 0),
    noise: Math.exp(raw[count + 1] ?? 0) + MIN_NOISE,
  };
}

/** Returns the factor of the covariance of the scores. @throws RangeError when it is not positive definite. */
export function factorCovariance(data: TrainingSet, kernel: KernelParameters): Cholesky {
  const factor = new Cholesky();
  data.points.forEach((point, row) => {
    const covariances = Float64Array.from({ length: row }, (_, column) => {
      const other = data.points[column] ?? point;
      return kernel.scale * matern(weightedDistance(point, other, data.isChoice, kernel.inverseSquaredLengths));
    });
    factor.append(covariances, kernel.scale + kernel.noise + (data.variances[row] ?? 0));
  });
  return factor;
}

/** Squared differences of each pair (row > column, row after row) along each dimension. */
export function squaredDifferences({ points, isChoice }: TrainingSet): Float64Array {
  const [count, width] = [points.length, isChoice.length];
  const out = new Float64Array((count * (count - 1) * width) / 2);
  let place = 0;
  for (const [row, point] of points.entries()) {
    for (const other of points.slice(0, row)) {
      for (let d = 0; d < width; d++)
        out[place++] = squaredDifference(point[d] ?? 0, other[d] ?? 0, isChoice[d] === true);
    }
  }
  return out;
}

/**
 * Returns −(ln likelihood + ln priors), without constants, and its gradient.
 *
 * @param raw ln θ by dimension, ln scale, ln(noise − `MIN_NOISE`).
 */
export function negativeLogPosterior(
  data: TrainingSet,
  differences: Float64Array,
  raw: Float64Array,
): { readonly value: number; readonly gradient: Float64Array } {
  const kernel = kernelOf(raw);
  const width = data.isChoice.length;
  const likelihood = logLikelihood(data, differences, kernel);
  const gradient = new Float64Array(raw.length);
  if (likelihood === null) return { value: Infinity, gradient };
  let value = -likelihood.value;
  kernel.inverseSquaredLengths.forEach((theta, d) => {
    value += 0.1 / theta + 0.1 * theta;
    gradient[d] = -(likelihood.byLength[d] ?? 0) * theta - 0.1 / theta + 0.1 * theta;
  });
  const { scale, noise } = kernel;
  value -= Math.log(scale) - scale + 0.1 * Math.log(noise) - 30 * noise;
  gradient[width] = -likelihood.byScale * scale - 1 + scale;
  gradient[width + 1] = -(likelihood.byNoise + 0.1 / noise - 30) * (noise - MIN_NOISE);
  return { value, gradient };
}

interface Likelihood {
  readonly value: number;
  /** Derivatives by θ of each dimension, scale and noise. */
  readonly byLength: Float64Array;
  readonly byScale: number;
  readonly byNoise: number;
}

/** Returns −½ ln det C − ½ yᵀ C⁻¹ y and its derivatives ½ tr((ααᵀ − C⁻¹) ∂C); null where C is not positive definite. */
function logLikelihood(data: TrainingSet, differences: Float64Array, kernel: KernelParameters): Likelihood | null {
  const { scores, variances, isChoice } = data;
  const width = isChoice.length;
  const distances = pairDistances(differences, width, kernel.inverseSquaredLengths);
  const factor = tryFactor(distances, kernel, variances);
  if (factor === null) return null;
  const alpha = factor.solve(scores);
  const inverse = factor.inverse();
  const byLength = new Float64Array(width);
  let [byScale, byNoise, fit, pair] = [0, 0, 0, 0];
  for (let row = 0; row < scores.length; row++) {
    const own = alpha[row] ?? 0;
    fit += own * (scores[row] ?? 0);
    const onDiagonal = (own * own - (inverse[row]?.[row] ?? 0)) / 2;
    byNoise += onDiagonal;
    byScale += onDiagonal;
    for (let column = 0; column < row; column++, pair++) {
      // Each pair is there twice in the symmetric matrix.
      const factorOfPair = own * (alpha[column] ?? 0) - (inverse[row]?.[column] ?? 0);
      const q = distances[pair] ?? 0;
      byScale += factorOfPair * matern(q);
      const slope = factorOfPair * kernel.scale * maternSlope(q);
      for (let d = 0; d < width; d++) byLength[d] = (byLength[d] ?? 0) + slope * (differences[pair * width + d] ?? 0);
    }
  }
  return { value: -factor.logDeterminant / 2 - fit / 2, byLength, byScale, byNoise };
}

function pairDistances(differences: Float64Array, width: number, lengths: Float64Array): Float64Array {
  const distances = new Float64Array(width === 0 ? 0 : differences.length / width);
  for (let pair = 0; pair < distances.length; pair++) {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += (lengths[d] ?? 0) * (differences[pair * width + d] ?? 0);
    distances[pair] = sum;
  }
  return distances;
}

function tryFactor(distances: Float64Array, kernel: KernelParameters, variances: Float64Array): Cholesky | null {
  const factor = new Cholesky();
  let pair = 0;
  try {
    for (const [row, variance] of variances.entries()) {
      const covariances = distances.slice(pair, pair + row).map((q) => kernel.scale * matern(q));
      factor.append(covariances, kernel.scale + kernel.noise + variance);
      pair += row;
    }
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
  return factor;
}
