import { afterAll, describe, expect, it } from 'vitest';
import { createStream } from '../../../../services/core/rng/stream.ts';
import { compileRunConfig } from '../../../../services/core/search-space/compile.ts';
import { loadBackbone } from '../../../../services/trainer/backbones/load.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import type { Tensor } from '../../../../services/trainer/engine/engine.ts';
import { unmixed } from '../../../../services/trainer/heads/batch-labels.ts';
import { Loss } from '../../../../services/trainer/heads/loss.ts';
import { MicroBatchNetwork, computeInParts, partsOf } from '../../../../services/trainer/training/micro-batches.ts';
import { FineTuneNetwork, HeadNetwork } from '../../../../services/trainer/training/network.ts';
import type { Network, NetworkStep } from '../../../../services/trainer/training/network.ts';

const SIZE = 32;
const IMAGES = 7;
const PARAMETERS = {
  backbone: 'vgg16',
  image_size: SIZE,
  cut: 'block4_conv2',
  'head.units': 16,
  'head.dropout': 0,
  'head.l2': 0.01,
  'fine_tune.enabled': true,
};
const backbone = await loadBackbone({
  backbone: 'vgg16',
  weights: 'random',
  inputSize: SIZE,
  cacheDir: '/nonexistent',
});
afterAll(() => backbone.dispose());

const config = compileRunConfig(PARAMETERS);
const NETWORKS: Readonly<Record<string, () => Network>> = {
  head: () => new HeadNetwork(config, backbone, 3),
  'fine-tuned': () => new FineTuneNetwork(config, '2', backbone, 3),
};

/** Takes one step on seven images of three classes with class weights, label smoothing and L2. */
function trainOnce(network: Network): NetworkStep {
  const input = inputOf(network);
  const targets = new Loss(3, 0.1, [0.5, 1, 2]).targets(unmixed([0, 1, 2, 0, 1, 2, 2]));
  const step = network.train(input, targets, createStream('dropout'));
  tf.dispose([input, targets.values]);
  targets.sampleWeights?.dispose();
  return step;
}

function inputOf({ input }: Network): Tensor {
  const values = createStream('images').fillUniform(new Float32Array(IMAGES * SIZE * SIZE * 3), 0, 255);
  return tf.tidy(() => {
    const outputs = backbone.forward(tf.tensor4d(values, [IMAGES, SIZE, SIZE, 3]), { to: input.layer });
    return input.pooling === 'none' ? outputs : tf.mean(outputs, [1, 2]);
  });
}

function largest(tensor: Tensor): number {
  return tf.tidy(() => tf.max(tf.abs(tensor)).dataSync()[0] ?? NaN);
}

function expectClose(actual: Tensor, expected: Tensor): void {
  expect(actual.shape).toEqual(expected.shape);
  const scale = largest(expected);
  expect(scale).toBeGreaterThan(0);
  const difference = tf.sub(actual, expected);
  expect(largest(difference) / scale).toBeLessThan(1e-5);
  difference.dispose();
}

describe('MicroBatchNetwork', () => {
  it.each(Object.keys(NETWORKS).flatMap((kind) => [2, 4, 8].map((divisor) => [kind, divisor] as const)))(
    'takes the step of the whole batch: %s network, 7 images in %i parts',
    (kind, divisor) => {
      const whole = NETWORKS[kind]?.() ?? expect.unreachable();
      const expected = trainOnce(whole);
      const parts = new MicroBatchNetwork(whole, divisor);
      const before = tf.memory().numTensors;
      const step = trainOnce(parts);
      // Only the outputs of the step remain.
      expect(tf.memory().numTensors - before).toBe(step.gradients.length + 2);
      expect(step.gradients).toHaveLength(expected.gradients.length);
      expectClose(step.logits, expected.logits);
      for (const [index, gradient] of step.gradients.entries()) {
        expectClose(gradient, expected.gradients[index] ?? expect.unreachable());
      }
      expect(step.penalty?.dataSync()).toEqual(expected.penalty?.dataSync());
      for (const { gradients, logits, penalty } of [step, expected]) {
        tf.dispose([...gradients, logits]);
        penalty?.dispose();
      }
      parts.dispose();
    },
  );

  it('draws a dropout mask for each micro-batch', () => {
    const dropped = compileRunConfig({ ...PARAMETERS, 'head.dropout': 0.5 });
    const network = new MicroBatchNetwork(new HeadNetwork(dropped, backbone, 3), 7);
    const input = tf.ones([IMAGES, 512]);
    const targets = new Loss(3, 0, null).targets(unmixed([0, 0, 0, 0, 0, 0, 0]));
    const { logits, gradients, penalty } = network.train(input, targets, createStream('dropout'));
    const rows = logits.arraySync() as number[][];
    expect(new Set(rows.map((row) => row.join())).size).toBe(IMAGES);
    tf.dispose([input, targets.values, logits, ...gradients]);
    penalty?.dispose();
    network.dispose();
  });

  it('divides into micro-batches of nearly equal size', () => {
    expect(partsOf(7, 4)).toEqual([
      { begin: 0, count: 2 },
      { begin: 2, count: 2 },
      { begin: 4, count: 2 },
      { begin: 6, count: 1 },
    ]);
    expect(partsOf(3, 8).map(({ count }) => count)).toEqual([1, 1, 1]);
  });

  it('computes outputs by micro-batches, and keeps no other tensor', () => {
    const input = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
    const before = tf.memory().numTensors;
    const seen: number[] = [];
    const output = computeInParts(input, 2, (rows) => {
      seen.push(...rows.shape.slice(0, 1));
      return tf.mul(rows, 10);
    });
    expect(seen).toEqual([2, 1]);
    expect(Array.from(output.dataSync())).toEqual([10, 20, 30, 40, 50, 60]);
    expect(tf.memory().numTensors - before).toBe(1);
    tf.dispose([input, output]);
  });
});
