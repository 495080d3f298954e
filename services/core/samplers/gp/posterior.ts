import { logExpectedImprovement, logNormalDensity, logNormalUpperTail } from '../../statistics/normal.ts';
import type { Cholesky } from './cholesky.ts';
import { factorCovariance } from './fit-kernel.ts';
import type { TrainingSet } from './fit-kernel.ts';
import { matern, maternSlope, numberDifference, weightedDistance } from './kernel.ts';
import type { Coordinates, KernelParameters } from './kernel.ts';

/** Keeps the deviation above 0 at points that are known without noise (Optuna). */
const STABILIZING_VARIANCE = 1e-12;

/** Mean and variance of the function at a point, without noise. */
export interface Prediction {
  readonly mean: number;
  readonly variance: number;
}

/** Returns ln of the expected improvement over a value. */
export function logImprovement({ mean, variance }: Prediction, over: number): number {
  const deviation = Math.sqrt(variance + STABILIZING_VARIANCE);
  return logExpectedImprovement((mean - over) / deviation) + Math.log(deviation);
}

/** The function given the scores. Points with an assumed score can be added. */
export class Posterior {
  readonly kernel: KernelParameters;
  /** Flag of each dimension: true for a choice. */
  readonly isChoice: readonly boolean[];
  /** Runs with their scores, then the points that were added. */
  readonly points: readonly Coordinates[];
  /** L⁻¹ y of the factor L and the scores y. */
  readonly whitened: readonly number[];
  readonly #points: Coordinates[];
  readonly #whitened: number[];
  readonly #factor: Cholesky;
  /** K⁻¹ y. */
  #alpha: Float64Array;

  /** @throws RangeError when the covariance is not positive definite. */
  constructor(data: TrainingSet, kernel: KernelParameters) {
    this.kernel = kernel;
    this.isChoice = data.isChoice;
    this.#points = [...data.points];
    this.points = this.#points;
    this.#factor = factorCovariance(data, kernel);
    this.#whitened = [...this.#factor.solveLower(data.scores)];
    this.whitened = this.#whitened;
    this.#alpha = this.#solveAlpha();
  }

  /** Returns the row of the factor that belongs to a point. */
  factorRow(place: number): Float64Array {
    return this.#factor.row(place);
  }

  /** Returns the length scale of a dimension. */
  lengthOf(place: number): number {
    return 1 / Math.sqrt(this.kernel.inverseSquaredLengths[place] ?? 1);
  }

  predict(point: Coordinates): Prediction {
    const covariances = this.#covariances(point);
    const solved = this.#factor.solveLower(covariances);
    return { mean: dot(covariances, this.#alpha), variance: Math.max(0, this.kernel.scale - dot(solved, solved)) };
  }

  /**
   * Adds a point whose score is not known yet with the mean as its score (the "Kriging believer" of Ginsbourger et al. 2010), so
   * that the next suggestion goes elsewhere. No mean changes by that, only variances.
   */
  believe(point: Coordinates): void {
    const { scale, noise } = this.kernel;
    this.#factor.append(this.#covariances(point), scale + noise);
    this.#points.push(point);
    this.#whitened.push(0);
    this.#alpha = this.#solveAlpha();
  }

  /** Returns ln of the expected improvement over a value. */
  logExpectedImprovement(point: Coordinates, over: number): number {
    return logImprovement(this.predict(point), over);
  }

  /**
   * Returns ln of the expected improvement with its gradient by the coordinates of some dimensions, numbers that the point has.
   *
   * @param dimensions places in the point.
   */
  improvementWithGradient(
    point: Coordinates,
    over: number,
    dimensions: readonly number[],
  ): { readonly value: number; readonly gradient: Float64Array } {
    const { scale, inverseSquaredLengths } = this.kernel;
    const distances = this.#distances(point);
    const covariances = distances.map((q) => scale * matern(q));
    const solved = this.#factor.solve(covariances);
    const mean = dot(covariances, this.#alpha);
    const variance = Math.max(0, scale - dot(covariances, solved)) + STABILIZING_VARIANCE;
    const deviation = Math.sqrt(variance);
    const z = (mean - over) / deviation;
    const logValue = logExpectedImprovement(z);
    // d ln h / dz = Φ / h, and h − z Φ = φ: the improvement σ h(z) changes by Φ dμ + φ dσ.
    const byMean = Math.exp(logNormalUpperTail(-z) - logValue) / deviation;
    const byVariance = Math.exp(logNormalDensity(z) - logValue) / (2 * variance);
    const gradient = new Float64Array(dimensions.length);
    for (const [place, other] of this.#points.entries()) {
      const byCovariance = byMean * (this.#alpha[place] ?? 0) - 2 * byVariance * (solved[place] ?? 0);
      const slope = 2 * scale * maternSlope(distances[place] ?? 0) * byCovariance;
      for (const [index, d] of dimensions.entries()) {
        const change = numberDifference(point[d] ?? 0, other[d] ?? 0);
        gradient[index] = (gradient[index] ?? 0) + slope * (inverseSquaredLengths[d] ?? 0) * change;
      }
    }
    return { value: logValue + Math.log(deviation), gradient };
  }

  #solveAlpha(): Float64Array {
    return this.#factor.solveUpper(Float64Array.from(this.#whitened));
  }

  #covariances(point: Coordinates): Float64Array {
    return this.#distances(point).map((q) => this.kernel.scale * matern(q));
  }

  #distances(point: Coordinates): Float64Array {
    const { isChoice, kernel } = this;
    const distances = new Float64Array(this.#points.length);
    for (const [place, other] of this.#points.entries()) {
      distances[place] = weightedDistance(point, other, isChoice, kernel.inverseSquaredLengths);
    }
    return distances;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let place = 0; place < a.length; place++) sum += (a[place] ?? 0) * (b[place] ?? 0);
  return sum;
}
