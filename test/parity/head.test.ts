import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createStream } from '../../services/core/rng/stream.ts';
import type { HeadConfig } from '../../services/core/run-config.ts';
import { tf } from '../../services/trainer/engine/engine.ts';
import type { Tensor } from '../../services/trainer/engine/engine.ts';
import { Head } from '../../services/trainer/heads/head.ts';
import { Loss } from '../../services/trainer/heads/loss.ts';
import { NativeHead, predictHeads, trainHeads } from '../../services/trainer/heads/native-head.ts';
import { Optimizer } from '../../services/trainer/heads/optimizer.ts';
import type { TrainedVariable } from '../../services/trainer/heads/trained-variable.ts';
import { recordParity } from './table.ts';

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

const LIMIT = 1e-4;

/** Made by head.py. */
const expected = JSON.parse(readFileSync(new URL('head.json', import.meta.url), 'utf8')) as Expected;

describe(`heads against Keras ${expected.keras}`, () => {
  const kinds = [
    { kind: 'TensorFlow ops', open: (wanted: Case) => new HeadOnOps(wanted) },
    { kind: 'native code', open: (wanted: Case) => new HeadInNativeCode(wanted) },
  ];
  describe.each(kinds)('$kind', ({ kind, open }) => {
    it.each(expected.cases)(
      '$classCount classes, $layers × Dense($units, $activation), l2 $l2, smoothing $labelSmoothing, weights $classWeights',
      (wanted) => {
        const before = tf.memory().numTensors;
        const trained = open(wanted);
        const errors: number[] = [];
        const loss = new Loss(wanted.classCount, wanted.labelSmoothing, wanted.classWeights);
        wanted.losses.forEach((wantedLoss, step) => {
          const rows = Array.from({ length: expected.batch }, (_, i) => step * expected.batch + i);
          const labels = rows.map((row) => row % wanted.classCount);
          const { logits, penalty } = trained.step(features(rows), loss, labels);
          const sums = loss.measure(logits, labels, true);
          errors.push(relativeError(sums.lossSum / rows.length + penalty, wantedLoss));
          expect(sums.correctCount / rows.length).toBeCloseTo(wanted.accuracies[step] ?? NaN, 6);
        });
        const rows = Array.from({ length: 30 }, (_, i) => 200 + i);
        const labels = rows.map((row) => row % wanted.classCount);
        const sums = loss.measure(trained.predict(features(rows)), labels, false);
        errors.push(relativeError(sums.lossSum / 30 + trained.penaltyValue(), wanted.valLoss));
        expect(sums.correctCount / 30).toBeCloseTo(wanted.valAccuracy, 6);
        const maxError = Math.max(...errors);
        const family = `${wanted.layers} × ${wanted.units} ${wanted.activation}, ${kind}`;
        recordParity({ point: '7 heads', check: 'losses', family, size: null, maxError, limit: LIMIT });
        expect(maxError).toBeLessThan(LIMIT);
        trained.dispose();
        expect(tf.memory().numTensors).toBe(before);
      },
    );
  });

  it('does not clip the loss of a confident wrong answer, as Keras does not', () => {
    const sums = new Loss(2, 0, null).measure(Float32Array.of(-60), [1], false);
    expect(sums.lossSum).toBeCloseTo(expected.clipping.fit, 4);
    expect(sums.lossSum).toBeCloseTo(expected.clipping.evaluate, 4);
  });
});

interface TrainedHead {
  step(input: Float32Array, loss: Loss, labels: readonly number[]): { logits: Float32Array; penalty: number };
  predict(input: Float32Array): Float32Array;
  penaltyValue(): number;
  dispose(): void;
}

const OPTIMIZER = { name: 'sgd', learningRate: 0.5, momentum: 0.5, nesterov: false } as const;

class HeadOnOps implements TrainedHead {
  readonly #head: Head;
  readonly #optimizer: Optimizer;

  constructor(wanted: Case) {
    this.#head = new Head(configOf(wanted), expected.features, wanted.classCount, 1);
    assignInitial(this.#head.variables);
    this.#optimizer = new Optimizer(OPTIMIZER, this.#head.variables);
  }

  step(input: Float32Array, loss: Loss, labels: readonly number[]): { logits: Float32Array; penalty: number } {
    const kept: { logits?: Float32Array; penalty?: number } = {};
    tf.tidy(() => {
      const stream = createStream('unused');
      const step = this.#head.train(rowsOf(input), loss.targets(labels), stream, false);
      this.#optimizer.apply(step.gradients, OPTIMIZER.learningRate);
      kept.logits = Float32Array.from(step.logits.dataSync());
      kept.penalty = step.penalty?.dataSync()[0] ?? 0;
    });
    return { logits: kept.logits ?? new Float32Array(), penalty: kept.penalty ?? NaN };
  }

  predict(input: Float32Array): Float32Array {
    const kept: { logits?: Float32Array } = {};
    tf.tidy(() => {
      kept.logits = Float32Array.from(this.#head.predict(rowsOf(input)).dataSync());
    });
    return kept.logits ?? new Float32Array();
  }

  penaltyValue(): number {
    return this.#head.penaltyValue();
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#head.dispose();
  }
}

class HeadInNativeCode implements TrainedHead {
  readonly #head: NativeHead;

  constructor(wanted: Case) {
    this.#head = new NativeHead(configOf(wanted), OPTIMIZER, expected.features, wanted.classCount, 1);
    assignInitial(this.#head.variables);
  }

  step(input: Float32Array, loss: Loss, labels: readonly number[]): { logits: Float32Array; penalty: number } {
    const { learningRate } = OPTIMIZER;
    const step = { head: this.#head, loss, learningRate, dropout: createStream('unused') };
    const [result] = trainHeads([step], input, labels);
    if (result === undefined) throw new Error('unreachable: one step was made');
    return result;
  }

  predict(input: Float32Array): Float32Array {
    const [logits] = predictHeads([this.#head], input, input.length / expected.features);
    return logits ?? new Float32Array();
  }

  penaltyValue(): number {
    return this.#head.penaltyValue();
  }

  dispose(): void {
    this.#head.dispose();
  }
}

function configOf({ units, layers, activation, l2 }: Case): HeadConfig {
  return { pooling: 'avg', units, layers, activation, dropout: 0, l2 };
}

function assignInitial(variables: readonly TrainedVariable[]): void {
  for (const [tensor, variable] of variables.entries()) {
    const scale = variable.shape.length === 2 ? 0.5 : 0.1;
    const count = variable.shape.reduce((a, b) => a * b, 1);
    variable.assign(Float32Array.from({ length: count }, (_, i) => scale * Math.sin(0.37 * i + 1.1 * tensor + 0.2)));
  }
}

function rowsOf(input: Float32Array): Tensor {
  return tf.tensor2d(input, [input.length / expected.features, expected.features]);
}

function features(rows: readonly number[]): Float32Array {
  const values = rows.flatMap((row) =>
    Array.from(
      { length: expected.features },
      (_, column) => 1.5 * Math.cos(0.71 * row + 1.93 * column) + ((row + column) % 11 === 0 ? 3 : 0),
    ),
  );
  return Float32Array.from(values);
}

function relativeError(value: number, wanted: number): number {
  return Math.abs(value - wanted) / Math.max(Math.abs(wanted), 1e-6);
}
