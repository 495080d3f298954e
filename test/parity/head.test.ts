import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createStream } from '../../services/core/rng/stream.ts';
import type { HeadConfig } from '../../services/core/run-config.ts';
import { tf } from '../../services/trainer/engine/engine.ts';
import { Head } from '../../services/trainer/heads/head.ts';
import { Loss } from '../../services/trainer/heads/loss.ts';
import { Optimizer } from '../../services/trainer/heads/optimizer.ts';

interface Case {
  readonly classCount: number;
  readonly units: number;
  readonly layers: number;
  readonly activation: HeadConfig['activation'];
  readonly l2: number;
  readonly labelSmoothing: number;
  readonly classWeights: readonly number[] | null;
  readonly losses: readonly number[];
  readonly accuracies: readonly number[];
  readonly valLoss: number;
  readonly valAccuracy: number;
}

interface Expected {
  readonly keras: string;
  readonly batch: number;
  readonly features: number;
  readonly clipping: { readonly fit: number; readonly evaluate: number };
  readonly cases: readonly Case[];
}

/** Made by head.py. */
const expected = JSON.parse(readFileSync(new URL('head.json', import.meta.url), 'utf8')) as Expected;

describe(`heads against Keras ${expected.keras}`, () => {
  it.each(expected.cases)(
    '$classCount classes, $layers × Dense($units, $activation), l2 $l2, smoothing $labelSmoothing, weights $classWeights',
    (wanted) => {
      const before = tf.memory().numTensors;
      const head = createHead(wanted);
      const optimizer = new Optimizer(
        { name: 'sgd', learningRate: 0.5, momentum: 0.5, nesterov: false },
        head.variables,
      );
      const loss = new Loss(wanted.classCount, wanted.labelSmoothing, wanted.classWeights);
      wanted.losses.forEach((wantedLoss, step) => {
        const rows = Array.from({ length: expected.batch }, (_, i) => step * expected.batch + i);
        const measured = trainStep(head, optimizer, loss, rows, wanted.classCount);
        expect(relativeError(measured.loss, wantedLoss)).toBeLessThan(1e-4);
        expect(measured.accuracy).toBeCloseTo(wanted.accuracies[step] ?? NaN, 6);
      });
      const rows = Array.from({ length: 30 }, (_, i) => 200 + i);
      const labels = rows.map((row) => row % wanted.classCount);
      const logits = tf.tidy(() => Float32Array.from(head.predict(features(rows)).dataSync()));
      const sums = loss.measure(logits, labels, false);
      expect(relativeError(sums.lossSum / 30 + head.penaltyValue(), wanted.valLoss)).toBeLessThan(1e-4);
      expect(sums.correctCount / 30).toBeCloseTo(wanted.valAccuracy, 6);
      optimizer.dispose();
      head.dispose();
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it('does not clip the loss of a confident wrong answer, as Keras does not', () => {
    const sums = new Loss(2, 0, null).measure(Float32Array.of(-60), [1], false);
    expect(sums.lossSum).toBeCloseTo(expected.clipping.fit, 4);
    expect(sums.lossSum).toBeCloseTo(expected.clipping.evaluate, 4);
  });
});

function createHead({ classCount, units, layers, activation, l2 }: Case): Head {
  const config: HeadConfig = { pooling: 'avg', units, layers, activation, dropout: 0, l2 };
  const head = new Head(config, expected.features, classCount, 1);
  for (const [tensor, variable] of head.variables.entries()) {
    const scale = variable.shape.length === 2 ? 0.5 : 0.1;
    const count = variable.shape.reduce((a, b) => a * b, 1);
    variable.assign(Float32Array.from({ length: count }, (_, i) => scale * Math.sin(0.37 * i + 1.1 * tensor + 0.2)));
  }
  return head;
}

function trainStep(head: Head, optimizer: Optimizer, loss: Loss, rows: readonly number[], classCount: number) {
  const labels = rows.map((row) => row % classCount);
  return tf.tidy(() => {
    const { logits, gradients, penalty } = head.train(
      features(rows),
      loss.targets(labels),
      createStream('unused'),
      false,
    );
    optimizer.apply(gradients, 0.5);
    const sums = loss.measure(Float32Array.from(logits.dataSync()), labels, true);
    return {
      loss: sums.lossSum / rows.length + (penalty?.dataSync()[0] ?? 0),
      accuracy: sums.correctCount / rows.length,
    };
  });
}

function features(rows: readonly number[]) {
  const values = rows.flatMap((row) =>
    Array.from(
      { length: expected.features },
      (_, column) => 1.5 * Math.cos(0.71 * row + 1.93 * column) + ((row + column) % 11 === 0 ? 3 : 0),
    ),
  );
  return tf.tensor2d(values, [rows.length, expected.features]);
}

function relativeError(value: number, wanted: number): number {
  return Math.abs(value - wanted) / Math.max(Math.abs(wanted), 1e-6);
}
