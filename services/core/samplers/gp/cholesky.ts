/** Lower factor L of a symmetric matrix K = L Lᵀ, row after row; rows can be added. */
export class Cholesky {
  readonly #rows: Float64Array[] = [];

  /**
   * Factors a matrix.
   *
   * @param matrix rows; only the lower triangle is read.
   * @throws RangeError when the matrix is not positive definite.
   */
  static of(matrix: readonly Float64Array[]): Cholesky {
    const factor = new Cholesky();
    matrix.forEach((row, place) => {
      factor.append(row.subarray(0, place), row[place] ?? 0);
    });
    return factor;
  }

  get size(): number {
    return this.#rows.length;
  }

  /** Returns the row of L at a place; its last number is the one on the diagonal. */
  row(place: number): Float64Array {
    return this.#rows[place] ?? new Float64Array();
  }

  /** ln of the determinant of K. */
  get logDeterminant(): number {
    return this.#rows.reduce((sum, row, place) => sum + 2 * Math.log(row[place] ?? 0), 0);
  }

  /**
   * Adds a row and a column to K.
   *
   * @param covariances with the rows before, `size` numbers.
   * @throws RangeError when the matrix is not positive definite with it.
   */
  append(covariances: Float64Array, variance: number): void {
    const solved = this.solveLower(covariances);
    const rest = variance - dot(solved, solved, solved.length);
    if (!(rest > 0)) throw new RangeError(`The matrix is not positive definite: row ${this.size} leaves ${rest}.`);
    const row = new Float64Array(this.size + 1);
    row.set(solved);
    row[this.size] = Math.sqrt(rest);
    this.#rows.push(row);
  }

  /** Returns L⁻¹ b. */
  solveLower(b: Float64Array): Float64Array {
    const solved = new Float64Array(b.length);
    for (let place = 0; place < b.length; place++) {
      const row = this.#rows[place] ?? b;
      solved[place] = ((b[place] ?? 0) - dot(row, solved, place)) / (row[place] ?? 1);
    }
    return solved;
  }

  /** Returns L⁻ᵀ b. */
  solveUpper(b: Float64Array): Float64Array {
    const solved = b.slice();
    for (let place = b.length - 1; place >= 0; place--) {
      const row = this.#rows[place] ?? b;
      const value = (solved[place] ?? 0) / (row[place] ?? 1);
      solved[place] = value;
      for (let before = 0; before < place; before++)
        solved[before] = (solved[before] ?? 0) - value * (row[before] ?? 0);
    }
    return solved;
  }

  /** Returns K⁻¹ b. */
  solve(b: Float64Array): Float64Array {
    return this.solveUpper(this.solveLower(b));
  }

  /** Returns the rows of the lower triangle of K⁻¹ = L⁻ᵀ L⁻¹. */
  inverse(): Float64Array[] {
    const { size } = this;
    // Row j of L⁻¹ has numbers up to column j, and column i of L⁻¹ begins at row i.
    const lowerInverse = this.#invertLower();
    return this.#rows.map((_, row) => {
      const sums = new Float64Array(row + 1);
      for (let below = row; below < size; below++) {
        const solved = lowerInverse[below] ?? sums;
        const factor = solved[row] ?? 0;
        for (let column = 0; column <= row; column++)
          sums[column] = (sums[column] ?? 0) + factor * (solved[column] ?? 0);
      }
      return sums;
    });
  }

  #invertLower(): Float64Array[] {
    const inverse: Float64Array[] = [];
    for (const [place, row] of this.#rows.entries()) {
      const own = new Float64Array(place + 1);
      for (const [before, solved] of inverse.entries()) {
        const factor = row[before] ?? 0;
        for (let column = 0; column <= before; column++)
          own[column] = (own[column] ?? 0) - factor * (solved[column] ?? 0);
      }
      const pivot = row[place] ?? 1;
      own[place] = 1;
      for (let column = 0; column <= place; column++) own[column] = (own[column] ?? 0) / pivot;
      inverse.push(own);
    }
    return inverse;
  }
}

function dot(a: Float64Array, b: Float64Array, count: number): number {
  let sum = 0;
  for (let place = 0; place < count; place++) sum += (a[place] ?? 0) * (b[place] ?? 0);
  return sum;
}
