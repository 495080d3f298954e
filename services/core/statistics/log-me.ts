import type { Spectrum } from './spectrum.ts';

const MAX_ROUNDS = 11;
const CONVERGED = 1e-3;
/** Keeps a precision finite where the weights or the residuals are zero. */
const EPSILON = 1e-5;

/**
 * Returns LogME: the mean over the classes of the log evidence, for each image, of a Bayesian linear model from features to the class'
 * indicator (You et al. 2021, arXiv 2110.10545, the fixed-point iteration; `_fit_fixed_point` of thuml/LogME). As there, the determinant
 * counts the min(images, features) directions of the decomposition only.
 *
 * @param spectrum of the features as they are, neither centred nor scaled.
 * @param columnCount number of features.
 * @param labels class of each image; classes without an image count, as the reference's do below the largest label.
 */
export function logMe(spectrum: Spectrum, columnCount: number, labels: ArrayLike<number>, classCount: number): number {
  let sum = 0;
  for (let label = 0; label < classCount; label++) {
    sum += evidence(
      spectrum,
      columnCount,
      Float64Array.from(labels, (one) => (one === label ? 1 : 0)),
    );
  }
  return sum / classCount;
}

/** Returns the log evidence of one target for each image, after the precisions α of the weights and β of the noise have converged. */
function evidence({ squares, vectors }: Spectrum, columnCount: number, target: Float64Array): number {
  const rowCount = target.length;
  const projected = vectors.map((vector) => dot(vector, target) ** 2);
  const outside = dot(target, target) - projected.reduce((sum, value) => sum + value, 0);
  let [alpha, beta, weights, residual] = [1, 1, 0, 0];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const ratio = alpha / beta;
    let effective = 0;
    weights = 0;
    residual = outside;
    for (const [index, square] of squares.entries()) {
      const part = projected[index] ?? 0;
      effective += square / (square + ratio);
      weights += (square * part) / (ratio + square) ** 2;
      residual += part / (1 + square / ratio) ** 2;
    }
    alpha = effective / (weights + EPSILON);
    beta = (rowCount - effective) / (residual + EPSILON);
    if (Math.abs(alpha / beta - ratio) / ratio <= CONVERGED) break;
  }
  const determinant = squares.reduce((sum, square) => sum + Math.log(alpha + beta * square), 0);
  const total =
    (columnCount / 2) * Math.log(alpha) +
    (rowCount / 2) * Math.log(beta) -
    determinant / 2 -
    (beta / 2) * residual -
    (alpha / 2) * weights -
    (rowCount / 2) * Math.log(2 * Math.PI);
  return total / rowCount;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (const [index, value] of a.entries()) sum += value * (b[index] ?? 0);
  return sum;
}
