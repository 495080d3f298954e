import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dropoutStream } from '../../services/core/rng/stream.ts';
import type { HeadConfig, OptimizerConfig } from '../../services/core/run-config.ts';
import { tf } from '../../services/trainer/engine/engine.ts';
import type { Tensor2D } from '../../services/trainer/engine/engine.ts';
import { Head } from '../../services/trainer/heads/head.ts';
import type { HeadTargets } from '../../services/trainer/heads/head.ts';
import { Loss } from '../../services/trainer/heads/loss.ts';
import { Optimizer } from '../../services/trainer/heads/optimizer.ts';
import { formulaUniform } from './formula.ts';
import { recordParity } from './table.ts';

interface Case extends Pick<HeadConfig, 'units' | 'layers' | 'activation' | 'dropout'> {
  /** Of each epoch's loss, over all trainings. */
  readonly means: readonly number[];
  readonly standardErrors: readonly number[];
}

interface Expected {
  readonly keras: string;
  readonly images: number;
  readonly features: number;
  readonly batch: number;
  readonly trainings: number;
  readonly cases: readonly Case[];
}

interface Batch {
  readonly features: Tensor2D;
  readonly labels: readonly number[];
  readonly targets: HeadTargets;
}

/** On this side; Keras' were more. */
const TRAININGS = 200;
/** Standard errors of the difference of two means; the seeds are fixed, so that a pass stays one. */
const LIMIT = 4;
const OPTIMIZER: OptimizerConfig = {
  name: 'rmsprop',
  learningRate: 1e-2,
  rho: 0.9,
  momentum: 0,
  epsilon: 1e-7,
  centered: false,
};

/** Made by dropout.py. The masks can't be the same, so that means of many trainings are compared. */
const expected = JSON.parse(readFileSync(new URL('dropout.json', import.meta.url), 'utf8')) as Expected;

describe(`training with dropout against Keras ${expected.keras}, means of ${TRAININGS} trainings and ${expected.trainings}`, () => {
  it.each(expected.cases)('$layers × Dense($units, $activation), rate $dropout', { timeout: 120_000 }, (wanted) => {
    const before = tf.memory().numTensors;
    const batches = makeBatches();
    const trainings = Array.from({ length: TRAININGS }, (_, seed) => train(wanted, batches, seed));
    for (const { features, targets } of batches) tf.dispose([features, targets.values]);
    const distances = wanted.means.map((mean, epoch) => {
      const ours = statisticsOf(trainings.map((losses) => losses[epoch] ?? NaN));
      return Math.abs(ours.mean - mean) / Math.hypot(ours.standardError, wanted.standardErrors[epoch] ?? NaN);
    });
    const maxError = Math.max(...distances);
    const family = `${wanted.layers} × ${wanted.units} ${wanted.activation}, rate ${wanted.dropout}`;
    const check = 'mean loss with dropout, in standard errors';
    recordParity({ point: '7 heads', check, family, size: null, maxError, limit: LIMIT });
    expect(maxError).toBeLessThan(LIMIT);
    expect(tf.memory().numTensors).toBe(before);
  });
});

function makeBatches(): readonly Batch[] {
  const { images, features, batch } = expected;
  const values = Float32Array.from(formulaUniform('dropout features', [images, features]));
  const loss = new Loss(2, 0, null);
  return Array.from({ length: images / batch }, (_, index) => {
    const rows = Array.from({ length: batch }, (__, i) => {
      const first = (index * batch + i) * features;
      return values.subarray(first, first + features);
    });
    const labels = rows.map((row) => Number(row.subarray(0, Math.floor(features / 3)).reduce((a, b) => a + b, 0) > 0));
    const all = tf.tensor2d(
      rows.map((row) => [...row]),
      [batch, features],
    );
    return { features: all, labels, targets: loss.targets(labels) };
  });
}

/** Losses of the epochs of one training; the seed is of its masks. */
function train({ units, layers, activation, dropout, means }: Case, batches: readonly Batch[], seed: number): number[] {
  const head = new Head({ pooling: 'avg', units, layers, activation, dropout, l2: 0 }, expected.features, 2, 1);
  for (const [index, variable] of head.variables.entries()) {
    const values = formulaUniform(`dropout ${index}`, variable.shape);
    variable.assign(Float32Array.from(values, (value) => 0.4 * value));
  }
  const optimizer = new Optimizer(OPTIMIZER, head.variables);
  const loss = new Loss(2, 0, null);
  const losses = means.map((_, epoch) => {
    const sums = batches.map(({ features, labels, targets }, index) => {
      const stream = dropoutStream(seed, 'HEAD', epoch * batches.length + index);
      const { logits, gradients } = head.train(features, targets, stream, false);
      optimizer.apply(gradients, OPTIMIZER.learningRate);
      const { lossSum } = loss.measure(logits.dataSync<'float32'>(), labels, true);
      tf.dispose([logits, ...gradients]);
      return lossSum;
    });
    return sums.reduce((a, b) => a + b) / expected.images;
  });
  optimizer.dispose();
  head.dispose();
  return losses;
}

function statisticsOf(values: readonly number[]): { readonly mean: number; readonly standardError: number } {
  const mean = values.reduce((a, b) => a + b) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardError: Math.sqrt(squares / (values.length - 1) / values.length) };
}
