import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { dropoutStream } from '../../../../services/core/rng/stream.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import { unmixed } from '../../../../services/trainer/heads/batch-labels.ts';
import { dropoutMask } from '../../../../services/trainer/heads/dropout.ts';
import { Head } from '../../../../services/trainer/heads/head.ts';
import { predictHeads, trainHeads } from '../../../../services/trainer/heads/native-head.ts';
import { native } from '../../../../services/trainer/heads/native-module.ts';
import { Optimizer } from '../../../../services/trainer/heads/optimizer.ts';
import type { TrainedVariable } from '../../../../services/trainer/heads/trained-variable.ts';
import {
  FEATURES,
  HEAD,
  IMAGES,
  STEPS,
  VARIANTS,
  features,
  labels,
  learningRate,
  momentum,
  rowsOf,
  start,
  stateOf,
  stepTogether,
  variant as variantOf,
} from './native-runs.ts';
import type { NativeRun } from './native-runs.ts';

function disposeAll(runs: readonly NativeRun[]): void {
  for (const { head } of runs) head.dispose();
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

/** Returns the relative error of the variables compared with the expected ones. */
function relativeError(actual: readonly TrainedVariable[], wanted: readonly TrainedVariable[]): number {
  const errors = wanted.map((variable, index) => {
    const expected = variable.values();
    const difference = actual[index]?.values().map((value, i) => value - (expected[i] ?? NaN)) ?? Float32Array.of(NaN);
    return norm(difference) / Math.max(norm(expected), 1e-12);
  });
  return Math.max(...errors);
}

describe('native heads', () => {
  afterAll(() => native.setThreadCount(2));

  it('are bit-identical to heads trained alone, on any number of threads', () => {
    const together = start(VARIANTS);
    for (let step = 0; step < STEPS; step++) stepTogether(together, step);
    for (const threads of [1, 2, 5]) {
      native.setThreadCount(threads);
      for (const [index, variant] of VARIANTS.entries()) {
        const alone = start([variant]);
        for (let step = 0; step < STEPS; step++) stepTogether(alone, step);
        expect(alone.map(({ head }) => stateOf(head))).toEqual(
          together.slice(index, index + 1).map(({ head }) => stateOf(head)),
        );
        disposeAll(alone);
      }
    }
    disposeAll(together);
  });

  it('are not affected when others leave', () => {
    const all = start(VARIANTS);
    const shrinking = start(VARIANTS);
    for (let step = 0; step < 2 * STEPS; step++) {
      stepTogether(all, step);
      stepTogether(
        shrinking.filter((_, index) => index % 3 !== 0 || step < 5),
        step,
      );
    }
    for (const [index, { head }] of shrinking.entries()) {
      if (index % 3 !== 0)
        expect(stateOf(head)).toEqual(all.slice(index, index + 1).flatMap((run) => stateOf(run.head)));
    }
    disposeAll([...all, ...shrinking]);
  });

  it.each(VARIANTS)('agree with the head on TensorFlow ops: $name', (variant) => {
    const before = tf.memory().numTensors;
    const [run] = start([variant]);
    if (run === undefined) throw new Error('unreachable');
    const head = new Head(variant.head, FEATURES, variant.classCount, variant.seed);
    const optimizer = new Optimizer(variant.optimizer, head.variables);
    expect(relativeError(run.head.variables, head.variables)).toBe(0);
    expect(run.head.slotVariables.map(({ name }) => name)).toEqual(optimizer.slotVariables.map(({ name }) => name));
    for (let step = 0; step < STEPS; step++) {
      const { first, last } = rowsOf(step);
      const [result] = stepTogether([run], step);
      tf.tidy(() => {
        const input = tf.tensor2d(features.slice(first * FEATURES, last * FEATURES), [last - first, FEATURES]);
        const targets = run.loss.targets(unmixed(labels.slice(first, last)));
        const stepped = head.train(input, targets, dropoutStream(variant.seed, 'HEAD', step), false);
        for (const [i, logit] of stepped.logits.dataSync().entries()) expect(result?.logits[i]).toBeCloseTo(logit, 4);
        expect(result?.penalty).toBeCloseTo(stepped.penalty?.dataSync()[0] ?? 0, 5);
        optimizer.apply(stepped.gradients, learningRate(variant, step), momentum(variant, step));
      });
    }
    expect(relativeError(run.head.variables, head.variables)).toBeLessThan(1e-5);
    expect(relativeError(run.head.slotVariables, optimizer.slotVariables)).toBeLessThan(1e-4);
    const penalty = optimizer.withAverages(() => head.penaltyValue());
    expect(run.head.penaltyValue()).toBeCloseTo(penalty, 5);
    const [logits] = predictHeads([run.head], features, IMAGES);
    const predict = (): Float32Array =>
      tf.tidy(() => head.predict(tf.tensor2d(features, [IMAGES, FEATURES])).dataSync<'float32'>());
    const expected = optimizer.withAverages(predict);
    if (variant.optimizer.emaMomentum !== undefined) expect(predict()).not.toEqual(expected);
    for (const [i, logit] of expected.entries()) expect(logits?.[i]).toBeCloseTo(logit, 4);
    run.head.dispose();
    optimizer.dispose();
    head.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('drop the same values as TensorFlow', () => {
    const rate = 0.3;
    const count = 45;
    const [run] = start([variantOf('mask', { head: { ...HEAD, units: 0, dropout: rate } })]);
    if (run === undefined) throw new Error('unreachable');
    // Weights that single out each value would need a power of two each and overflow, so one image per value is used.
    const stream = dropoutStream(5, 'HEAD', 3);
    const mask = tf.tidy(() => Float32Array.from(dropoutMask([count, FEATURES], rate, stream).dataSync()));
    const kernel = run.head.variables[0];
    for (const column of [0, 1, 37, FEATURES - 1]) {
      kernel?.assign(Float32Array.from({ length: FEATURES }, (_, i) => Number(i === column)));
      run.head.variables[1]?.assign(Float32Array.of(0));
      const step = { ...run, learningRate: 0, dropout: dropoutStream(5, 'HEAD', 3) };
      const [result] = trainHeads(
        [step],
        new Float32Array(count * FEATURES).fill(1),
        unmixed(new Array<number>(count).fill(0)),
      );
      const expected = Array.from({ length: count }, (_, row) => mask[row * FEATURES + column]);
      expect(Array.from(result?.logits ?? [])).toEqual(expected);
    }
    disposeAll([run]);
  });

  it('are bit-identical with AVX2 and AVX-512, and nearly equal without either', (context) => {
    const best = native.instructionSet();
    if (best === 'basic') context.skip('this machine has neither AVX2 nor AVX-512');
    const runs = start(VARIANTS);
    for (let step = 0; step < STEPS; step++) stepTogether(runs, step);
    const wanted = Float32Array.from(runs.flatMap(({ head }) => stateOf(head).flatMap((values) => Array.from(values))));
    disposeAll(runs);
    if (best === 'avx512') expect(statesWith('avx2')).toEqual(wanted);
    const basic = statesWith('basic');
    expect(norm(wanted.map((value, i) => value - (basic[i] ?? NaN))) / norm(wanted)).toBeLessThan(1e-6);
  }, 60_000);

  it('propagate NaN', () => {
    const [run] = start(VARIANTS.slice(0, 1));
    if (run === undefined) throw new Error('unreachable');
    run.head.variables[0]?.assign(new Float32Array(FEATURES * 48).fill(NaN));
    expect(stepTogether([run], 0)[0]?.logits.every(Number.isNaN)).toBe(true);
    disposeAll([run]);
  });

  it('refuse arrays of a wrong length and disposed heads', () => {
    const [run] = start(VARIANTS.slice(0, 1));
    if (run === undefined) throw new Error('unreachable');
    expect(() => predictHeads([run.head], features, 3)).toThrow(/features has 14560 numbers, not 210/);
    expect(() => run.head.variables[0]?.assign(new Float32Array(3))).toThrow(
      /head\/dense_1\/kernel of shape \[70, 48\]/,
    );
    run.head.dispose();
    expect(() => stateOf(run.head)).toThrow(/disposed/);
  });
});

/**
 * Returns everything the variants hold after an epoch. A process of its own computes it, because the instruction set is
 * chosen once.
 */
function statesWith(instructionSet: string): Float32Array {
  const folder = mkdtempSync(join(tmpdir(), 'graft-heads-'));
  try {
    const script = fileURLToPath(new URL('write-states.ts', import.meta.url));
    const env = { ...process.env, GRAFT_HEAD_INSTRUCTIONS: instructionSet };
    execFileSync(process.execPath, ['--import', 'tsx', script, join(folder, 'states')], { env });
    const bytes = readFileSync(join(folder, 'states'));
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Float32Array.BYTES_PER_ELEMENT);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
