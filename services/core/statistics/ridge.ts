import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import type { FeatureRows, Spectrum } from './spectrum.ts';
import { spectrumOf } from './spectrum.ts';

/** Penalties that are tried, in units of the mean squared length of a standardised image's features. */
const PENALTIES = [1e-3, 1e-2, 1e-1, 1, 10, 100, 1_000] as const;

/** Predictions of images by models that did not see them. */
export interface OutOfFold {
  /** Predicted class of each image. */
  readonly predicted: Int32Array;
  readonly penalty: number;
}

/**
 * Predicts the class of each image by a ridge regression on the images of the other folds.
 *
 * One regression for each class, of its indicator on the standardised features with a free intercept; the largest value wins. A
 * multinomial model would need an iteration for each fold and penalty. This one has a closed form for all of them from a single
 * decomposition, and it only has to rank sets of features. The penalty is the one of {@link PENALTIES} with the least error of
 * generalised cross-validation (Golub, Heath and Wahba 1979), for all classes together. It is chosen once, on all images: one of seven
 * values fits nothing of a fold, and all sets of features have the same freedom.
 *
 * The residuals of a fold F follow from the hat matrix H of all images: (I − H_FF)⁻¹·(y − ŷ)_F, exactly those of a regression without
 * the fold at the same scale of the features.
 *
 * @param labels class of each row.
 * @param folds fold of each row.
 */
export function outOfFoldRidge(
  rows: FeatureRows,
  labels: ArrayLike<number>,
  classCount: number,
  folds: ArrayLike<number>,
): OutOfFold {
  const spectrum = spectrumOf(standardised(rows));
  const targets = Array.from({ length: classCount }, (_, label) =>
    Float64Array.from({ length: rows.rowCount }, (__, row) => (labels[row] === label ? 1 : 0)),
  );
  const means = targets.map((target) => target.reduce((sum, value) => sum + value, 0) / rows.rowCount);
  const projections = targets.map((target) => spectrum.vectors.map((vector) => dot(vector, target)));
  const penalty = leastError(spectrum, projections, targets, means);
  const shrinkage = spectrum.squares.map((square) => square / (square + penalty));
  const fitted = projections.map((projection, label) =>
    fit(spectrum, shrinkage, projection, means[label] ?? 0, rows.rowCount),
  );
  const predicted = new Int32Array(rows.rowCount);
  for (const members of membersOf(folds, rows.rowCount)) {
    const left = new CholeskyDecomposition(complementOf(spectrum, shrinkage, members, rows.rowCount));
    const residuals = Matrix.zeros(members.length, classCount);
    for (const [place, row] of members.entries()) {
      for (let label = 0; label < classCount; label++) {
        residuals.set(place, label, (targets[label]?.[row] ?? 0) - (fitted[label]?.[row] ?? 0));
      }
    }
    const without = left.solve(residuals);
    for (const [place, row] of members.entries()) {
      let best = -Infinity;
      for (let label = 0; label < classCount; label++) {
        const value = (targets[label]?.[row] ?? 0) - without.get(place, label);
        if (value <= best) continue;
        best = value;
        predicted[row] = label;
      }
    }
  }
  return { predicted, penalty };
}

/** Returns centred features of variance 1, or 0 where they don't vary, divided so that the mean squared length of a row is 1. */
function standardised({ values, rowCount, columnCount }: FeatureRows): FeatureRows {
  const scaled = new Float64Array(rowCount * columnCount);
  let varying = 0;
  for (let column = 0; column < columnCount; column++) {
    let sum = 0;
    for (let row = 0; row < rowCount; row++) sum += values[row * columnCount + column] ?? 0;
    const mean = sum / rowCount;
    let squares = 0;
    for (let row = 0; row < rowCount; row++) squares += ((values[row * columnCount + column] ?? 0) - mean) ** 2;
    const deviation = Math.sqrt(squares / rowCount);
    // Below the rounding of float32 the differences are noise.
    if (!(deviation > Math.abs(mean) * 2 ** -22)) continue;
    varying += 1;
    for (let row = 0; row < rowCount; row++) {
      scaled[row * columnCount + column] = ((values[row * columnCount + column] ?? 0) - mean) / deviation;
    }
  }
  const scale = 1 / Math.sqrt(Math.max(1, varying));
  return { values: scaled.map((value) => value * scale), rowCount, columnCount };
}

/** Returns the penalty with the least error of generalised cross-validation; of equal ones the largest. */
function leastError(
  { squares }: Spectrum,
  projections: readonly (readonly number[])[],
  targets: readonly Float64Array[],
  means: readonly number[],
): number {
  const rowCount = targets[0]?.length ?? 0;
  const totals = targets.map((target, label) => dot(target, target) - rowCount * (means[label] ?? 0) ** 2);
  let best: number = PENALTIES[0];
  let least = Infinity;
  for (const penalty of PENALTIES) {
    const shrinkage = squares.map((square) => square / (square + penalty));
    // The intercept is one more degree of freedom.
    const freedom = shrinkage.reduce((sum, part) => sum + part, 1);
    let residual = 0;
    for (const [label, projection] of projections.entries()) {
      residual += totals[label] ?? 0;
      for (const [index, part] of projection.entries()) {
        const kept = shrinkage[index] ?? 0;
        residual -= (2 * kept - kept ** 2) * part ** 2;
      }
    }
    const error = residual / rowCount / (1 - freedom / rowCount) ** 2;
    if (error > least) continue;
    least = error;
    best = penalty;
  }
  return best;
}

/** Returns the fitted values ŷ = ȳ + U·diag(shrinkage)·Uᵀy: features are centred, so that their directions don't see the mean. */
function fit(
  { vectors }: Spectrum,
  shrinkage: Float64Array,
  projection: readonly number[],
  mean: number,
  rowCount: number,
): Float64Array {
  const fitted = new Float64Array(rowCount).fill(mean);
  for (const [index, vector] of vectors.entries()) {
    const weight = (shrinkage[index] ?? 0) * (projection[index] ?? 0);
    for (let row = 0; row < rowCount; row++) fitted[row] = (fitted[row] ?? 0) + weight * (vector[row] ?? 0);
  }
  return fitted;
}

/** Returns I − H for the images of a fold. */
function complementOf(
  { vectors }: Spectrum,
  shrinkage: Float64Array,
  members: readonly number[],
  rowCount: number,
): Matrix {
  const scaled = Matrix.zeros(members.length, vectors.length);
  for (const [index, vector] of vectors.entries()) {
    const scale = Math.sqrt(shrinkage[index] ?? 0);
    for (const [place, row] of members.entries()) scaled.set(place, index, scale * (vector[row] ?? 0));
  }
  const hat = scaled.mmul(scaled.transpose()).add(1 / rowCount);
  return Matrix.eye(members.length).sub(hat);
}

function membersOf(folds: ArrayLike<number>, rowCount: number): readonly number[][] {
  const members = new Map<number, number[]>();
  for (let row = 0; row < rowCount; row++) {
    const fold = folds[row] ?? 0;
    const known = members.get(fold);
    if (known === undefined) members.set(fold, [row]);
    else known.push(row);
  }
  return [...members.values()];
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += (a[index] ?? 0) * (b[index] ?? 0);
  return sum;
}
