import { matern, squaredDifference } from './kernel.ts';
import type { Coordinates } from './kernel.ts';
import type { Posterior, Prediction } from './posterior.ts';

/**
 * Predictions at many points at once, for all suggestions of a round: one row of L⁻¹ k for each run, over all points. A point that
 * the posterior has got since adds one row; without sharing, each suggestion would solve for all points again.
 */
export class SharedPredictions {
  readonly #posterior: Posterior;
  /** Coordinates of all points, dimension by dimension. */
  readonly #columns: readonly Float64Array[];
  readonly #rows: Float64Array[] = [];
  readonly #means: Float64Array;
  readonly #variances: Float64Array;

  constructor(posterior: Posterior, points: readonly Coordinates[]) {
    this.#posterior = posterior;
    this.#columns = posterior.isChoice.map((_, d) => Float64Array.from(points, (point) => point[d] ?? 0));
    this.#means = new Float64Array(points.length);
    this.#variances = new Float64Array(points.length).fill(posterior.kernel.scale);
  }

  /** Returns the prediction at each point, from all points that the posterior has by now. */
  predict(): Prediction[] {
    for (let place = this.#rows.length; place < this.#posterior.points.length; place++) this.#addRow(place);
    return Array.from(this.#means, (mean, point) => ({ mean, variance: Math.max(0, this.#variances[point] ?? 0) }));
  }

  #addRow(place: number): void {
    const row = this.#covariancesWith(this.#posterior.points[place] ?? new Float64Array());
    const factor = this.#posterior.factorRow(place);
    this.#rows.forEach((earlier, column) => {
      const weight = factor[column] ?? 0;
      for (let point = 0; point < row.length; point++) row[point] = (row[point] ?? 0) - weight * (earlier[point] ?? 0);
    });
    const [pivot, whitened] = [factor[place] ?? 1, this.#posterior.whitened[place] ?? 0];
    for (let point = 0; point < row.length; point++) {
      const value = (row[point] ?? 0) / pivot;
      row[point] = value;
      this.#means[point] = (this.#means[point] ?? 0) + whitened * value;
      this.#variances[point] = (this.#variances[point] ?? 0) - value * value;
    }
    this.#rows.push(row);
  }

  #covariancesWith(run: Coordinates): Float64Array {
    const { isChoice, kernel } = this.#posterior;
    const distances = new Float64Array(this.#means.length);
    this.#columns.forEach((column, d) => {
      const [own, weight, choice] = [run[d] ?? 0, kernel.inverseSquaredLengths[d] ?? 0, isChoice[d] === true];
      for (let point = 0; point < column.length; point++) {
        distances[point] = (distances[point] ?? 0) + weight * squaredDifference(column[point] ?? 0, own, choice);
      }
    });
    for (let point = 0; point < distances.length; point++)
      distances[point] = kernel.scale * matern(distances[point] ?? 0);
    return distances;
  }
}
