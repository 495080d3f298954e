import { describe, expect, test } from 'vitest';
import { createStream } from '../../../services/core/rng/stream.ts';
import { Cholesky } from '../../../services/core/samplers/gp/cholesky.ts';
import { fitKernel } from '../../../services/core/samplers/gp/fit-kernel.ts';
import type { TrainingSet } from '../../../services/core/samplers/gp/fit-kernel.ts';
import { Posterior } from '../../../services/core/samplers/gp/posterior.ts';
import { SharedPredictions } from '../../../services/core/samplers/gp/shared-predictions.ts';

/** Two numbers, a choice, and a number that only some points have. */
const IS_CHOICE = [false, false, true, false];

function drawPoints(count: number, seed: number): Float64Array[] {
  const stream = createStream(seed, 'points');
  return Array.from({ length: count }, () => {
    const [x, y, choice, z] = Array.from({ length: 4 }, () => stream.uniform53());
    const place = Math.floor(3 * (choice ?? 0));
    return Float64Array.of(x ?? 0, y ?? 0, place, place === 1 ? (z ?? 0) : Number.NaN);
  });
}

function trainingSet(count: number, variances: number): TrainingSet {
  const points = drawPoints(count, 1);
  const scores = Float64Array.from(
    points,
    ([x = 0, y = 0, choice = 0]) => Math.sin(5 * x) - 2 * (y - 0.4) ** 2 - 0.3 * choice,
  );
  return { points, isChoice: IS_CHOICE, scores, variances: new Float64Array(count).fill(variances) };
}

describe('a Gaussian process', () => {
  test('predicts many points at once as it does each of them, also with believed points', () => {
    const data = trainingSet(40, 0);
    const posterior = new Posterior(data, fitKernel(data));
    const asked = drawPoints(50, 2);
    const shared = new SharedPredictions(posterior, asked);
    const before = shared.predict();
    for (const point of drawPoints(6, 3)) {
      posterior.believe(point);
      const predictions = shared.predict();
      for (const [place, point] of asked.entries()) {
        const { mean, variance } = posterior.predict(point);
        expect(predictions[place]?.mean).toBeCloseTo(mean, 9);
        expect(predictions[place]?.variance).toBeCloseTo(variance, 9);
        // A believed point changes what is uncertain, not what is expected.
        expect(mean).toBeCloseTo(before[place]?.mean ?? Number.NaN, 9);
        expect(variance).toBeLessThanOrEqual((before[place]?.variance ?? 0) + 1e-12);
      }
    }
  });

  test('trusts scores less whose variance is known to be large', () => {
    const [sure, unsure] = [trainingSet(30, 0), trainingSet(30, 4)].map((data) => new Posterior(data, fitKernel(data)));
    const [best, score] = bestOf(trainingSet(30, 0));
    expect(sure?.predict(best).mean).toBeCloseTo(score, 1);
    expect(Math.abs((unsure?.predict(best).mean ?? 0) - score)).toBeGreaterThan(0.3);
  });

  test('has a positive definite covariance and the gradient of its improvement where some points lack a number', () => {
    const points = [
      ...drawPoints(60, 4),
      ...[0, 0.25, 0.5, 0.75, 1].map((z) => Float64Array.of(0.5, 0.5, 1, z)),
      Float64Array.of(0.5, 0.5, 1, Number.NaN),
    ];
    const kernel = { inverseSquaredLengths: Float64Array.of(0.1, 0.1, 0.01, 2), scale: 1, noise: 1e-6 };
    const data = {
      ...trainingSet(0, 0),
      points,
      scores: Float64Array.from(points, ([x = 0]) => x),
      variances: new Float64Array(points.length),
    };
    const posterior = new Posterior(data, kernel);
    const step = 1e-6;
    for (const point of drawPoints(20, 5).filter(([, , choice]) => choice === 1)) {
      const moved = (by: number): Float64Array =>
        Float64Array.from(point, (value, d) => (d === 3 ? value + by : value));
      const slope =
        (posterior.logExpectedImprovement(moved(step), 1) - posterior.logExpectedImprovement(moved(-step), 1)) /
        (2 * step);
      const { gradient } = posterior.improvementWithGradient(point, 1, [3]);
      expect(Math.abs((gradient[0] ?? 0) - slope)).toBeLessThan(1e-3 * Math.max(1, Math.abs(slope)));
    }
  });

  test('inverts a matrix', () => {
    const matrix = [Float64Array.of(4), Float64Array.of(2, 5), Float64Array.of(-1, 1, 3)];
    const inverse = Cholesky.of(matrix).inverse();
    const at = (rows: readonly Float64Array[], i: number, j: number): number =>
      rows[Math.max(i, j)]?.[Math.min(i, j)] ?? 0;
    for (const i of [0, 1, 2]) {
      for (const j of [0, 1, 2]) {
        const product = [0, 1, 2].reduce((sum, k) => sum + at(matrix, i, k) * at(inverse, k, j), 0);
        expect(product).toBeCloseTo(i === j ? 1 : 0, 12);
      }
    }
    expect(() => Cholesky.of([Float64Array.of(1), Float64Array.of(2, 1)])).toThrow('not positive definite');
  });
});

function bestOf({ points, scores }: TrainingSet): readonly [Float64Array, number] {
  const score = Math.max(...scores);
  return [points[scores.indexOf(score)] ?? new Float64Array(), score];
}
