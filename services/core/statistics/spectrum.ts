import { EigenvalueDecomposition, Matrix } from 'ml-matrix';

/** Rows of numbers, one after the other: features of images. */
export interface FeatureRows {
  readonly values: Float32Array | Float64Array;
  readonly rowCount: number;
  readonly columnCount: number;
}

/** The left part of a singular value decomposition: F = U·S·Vᵀ. */
export interface Spectrum {
  /** Squared singular values, min(rows, columns) of them. */
  readonly squares: Float64Array;
  /** Left singular vectors, one for each square; each has an entry for each row. */
  readonly vectors: readonly Float64Array[];
}

/** Singular values that count as zero, where the matrix has more rows than columns (LogME's limit). */
const ZERO = 1e-10;

/**
 * Decomposes a matrix by the eigenvalues of its smaller Gram matrix, F·Fᵀ or Fᵀ·F. 300 images take half a second, and time grows
 * with the cube of the smaller side: there are at most some hundred images or 2,048 features.
 */
export function spectrumOf(rows: FeatureRows): Spectrum {
  const features = matrixOf(rows);
  return rows.rowCount <= rows.columnCount ? ofRows(features) : ofColumns(features);
}

function ofRows(features: Matrix): Spectrum {
  const { squares, vectors } = eigenOf(features.mmul(features.transpose()));
  return { squares, vectors };
}

/** Left singular vectors are F·v/s; directions without extent have none. */
function ofColumns(features: Matrix): Spectrum {
  const { squares, vectors } = eigenOf(features.transpose().mmul(features));
  const kept = Array.from(squares.keys()).filter((index) => Math.sqrt(squares[index] ?? 0) > ZERO);
  return {
    squares: Float64Array.from(kept, (index) => squares[index] ?? 0),
    vectors: kept.map((index) => {
      const scale = Math.sqrt(squares[index] ?? 0);
      const product = features.mmul(Matrix.columnVector(vectors[index] ?? []));
      return Float64Array.from({ length: features.rows }, (_, row) => product.get(row, 0) / scale);
    }),
  };
}

/** Returns eigenvalues, below 0 only by rounding and then 0, and their vectors. */
function eigenOf(gram: Matrix): Spectrum {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
  return {
    squares: Float64Array.from(realEigenvalues, (value) => Math.max(0, value)),
    vectors: realEigenvalues.map((_, index) => Float64Array.from(eigenvectorMatrix.getColumn(index))),
  };
}

function matrixOf({ values, rowCount, columnCount }: FeatureRows): Matrix {
  const matrix = Matrix.zeros(rowCount, columnCount);
  for (let row = 0; row < rowCount; row++) {
    for (let column = 0; column < columnCount; column++) {
      matrix.set(row, column, values[row * columnCount + column] ?? 0);
    }
  }
  return matrix;
}
