import { describe, expect, it } from 'vitest';
import { createStream, dropoutStream } from '../../../../services/core/rng/stream.ts';
import type { HeadConfig } from '../../../../services/core/run-config.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import { unmixed } from '../../../../services/trainer/heads/batch-labels.ts';
import { dropoutMask } from '../../../../services/trainer/heads/dropout.ts';
import { Head } from '../../../../services/trainer/heads/head.ts';
import { Loss, classWeightsOf, predictedLabel, probabilitiesOf } from '../../../../services/trainer/heads/loss.ts';

const CONFIG: HeadConfig = { pooling: 'avg', units: 64, layers: 2, activation: 'relu', dropout: 0.5, l2: 0.1 };

describe('dropout mask', () => {
  it('is a function of its stream, keeps the mean and holds only 0 and 1 / (1 - rate)', () => {
    const mask = (seed: number, step: number): Float32Array =>
      tf.tidy(() => Float32Array.from(dropoutMask([50, 400], 0.2, dropoutStream(seed, 'HEAD', step)).dataSync()));
    const first = mask(1, 7);
    expect(mask(1, 7)).toEqual(first);
    expect(mask(1, 8)).not.toEqual(first);
    expect(mask(2, 7)).not.toEqual(first);
    expect(new Set(first)).toEqual(new Set([0, Math.fround(1.25)]));
    expect(first.reduce((a, b) => a + b, 0) / first.length).toBeCloseTo(1, 1);
  });
});

describe('head', () => {
  it("starts with Keras' Glorot uniform kernels and zero biases, a function of the seed", () => {
    const [a, b, c] = [1, 1, 2].map((seed) => new Head(CONFIG, 300, 2, seed));
    const values = (head: Head | undefined): Float32Array[] => (head?.variables ?? []).map((v) => v.values());
    expect(values(a)).toEqual(values(b));
    expect(values(a)[0]).not.toEqual(values(c)[0]);
    expect(a?.variables.map(({ name, shape }) => `${name} ${shape.join('x')}`)).toEqual([
      'head/dense_1/kernel 300x64',
      'head/dense_1/bias 64',
      'head/dense_2/kernel 64x64',
      'head/dense_2/bias 64',
      'head/output/kernel 64x1',
      'head/output/bias 1',
    ]);
    const kernel = values(a)[0] ?? new Float32Array();
    const limit = Math.sqrt(6 / 364);
    expect(Math.max(...kernel)).toBeLessThanOrEqual(limit);
    expect(Math.max(...kernel)).toBeGreaterThan(limit * 0.99);
    expect(Math.min(...kernel)).toBeLessThan(-limit * 0.99);
    expect(values(a)[1]?.every((value) => value === 0)).toBe(true);
    for (const head of [a, b, c]) head?.dispose();
  });

  it('computes the gradient of its loss through dropout, down to the features', () => {
    const head = new Head({ ...CONFIG, units: 5, activation: 'tanh' }, 4, 3, 3);
    const loss = new Loss(3, 0.1, [1, 2, 0.5]);
    const labels = [0, 1, 2, 1];
    const features = Float32Array.from({ length: 16 }, (_, i) => Math.sin(i + 1));
    const lossAt = (x: Float32Array): number =>
      tf.tidy(() => {
        const step = head.train(tf.tensor2d(x, [4, 4]), loss.targets(unmixed(labels)), createStream('mask'), false);
        return (
          loss.measure(Float32Array.from(step.logits.dataSync()), unmixed(labels), true).lossSum / 4 +
          head.penaltyValue()
        );
      });
    const { gradients, featureGradient } = tf.tidy(() => {
      const step = head.train(tf.tensor2d(features, [4, 4]), loss.targets(unmixed(labels)), createStream('mask'), true);
      return {
        gradients: step.gradients.map((g) => Float32Array.from(g.dataSync())),
        featureGradient: Float32Array.from(step.featureGradient?.dataSync() ?? []),
      };
    });
    const step = 1e-2;
    const slope = (change: (sign: number) => number): number => (change(1) - change(-1)) / (2 * step);
    for (const index of [0, 5, 10, 15]) {
      const numeric = slope((sign) => lossAt(features.map((v, i) => (i === index ? v + sign * step : v))));
      expect(featureGradient[index]).toBeCloseTo(numeric, 2);
    }
    for (const [v, variable] of head.variables.entries()) {
      const before = variable.values();
      const numeric = slope((sign) => {
        variable.assign(before.map((value, i) => (i === 0 ? value + sign * step : value)));
        return lossAt(features);
      });
      variable.assign(before);
      expect(gradients[v]?.[0]).toBeCloseTo(numeric, 2);
    }
    head.dispose();
  });
});

describe('loss', () => {
  it('balances classes as scikit-learn does', () => {
    const images = [0, 0, 0, 1].map((label) => ({ label }));
    expect(classWeightsOf('balanced', images, ['cat', 'dog'])).toEqual([4 / 6, 2]);
    expect(classWeightsOf('none', images, ['cat', 'dog'])).toBeNull();
  });

  it('weighs classes by name, and those without a weight by 1', () => {
    expect(classWeightsOf({ dog: 3, toString: 2 }, [], ['cat', 'dog', 'valueOf'])).toEqual([1, 3, 1]);
  });

  it('stays finite for large logits and returns probabilities that sum to one', () => {
    const { lossSum } = new Loss(3, 0, null).measure(Float32Array.of(1000, -1000, 0), unmixed([1]), false);
    expect(lossSum).toBe(2000);
    expect(probabilitiesOf(Float32Array.of(-800))).toEqual([1, 0]);
    expect(probabilitiesOf(Float32Array.of(1000, 1000, -1000))).toEqual([0.5, 0.5, 0]);
    expect(predictedLabel(Float32Array.of(0))).toBe(0);
    expect(predictedLabel(Float32Array.of(1, 3, 3))).toBe(1);
  });
});
