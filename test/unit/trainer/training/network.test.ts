import { afterAll, describe, expect, it } from 'vitest';
import { createStream } from '../../../../services/core/rng/stream.ts';
import { compileRunConfig } from '../../../../services/core/search-space/compile.ts';
import { loadBackbone } from '../../../../services/trainer/backbones/load.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import type { Tensor, Tensor2D, Tensor4D } from '../../../../services/trainer/engine/engine.ts';
import { unmixed } from '../../../../services/trainer/heads/batch-labels.ts';
import { Loss } from '../../../../services/trainer/heads/loss.ts';
import { FineTuneNetwork, HeadNetwork } from '../../../../services/trainer/training/network.ts';

const SIZE = 32;
const backbone = await loadBackbone({
  backbone: 'vgg16',
  weights: 'random',
  inputSize: SIZE,
  cacheDir: '/nonexistent',
});
afterAll(() => backbone.dispose());

const images = (): Tensor4D =>
  tf.tensor4d(createStream('images').fillUniform(new Float32Array(2 * SIZE * SIZE * 3), 0, 255), [2, SIZE, SIZE, 3]);

describe('networks', () => {
  it.each(['flatten', 'avg', 'max'] as const)("fine-tunes with the gradients of tfjs' tape, pooling %s", (pooling) => {
    // The base creates its tensors at its first use.
    tf.tidy(() => void backbone.forward(images(), { to: 'block3_pool' }));
    const before = tf.memory().numTensors;
    const config = compileRunConfig({
      backbone: 'vgg16',
      image_size: SIZE,
      // A cut at which an image still has 4 × 4 positions to pool over.
      cut: 'block4_conv2',
      'head.pooling': pooling,
      'head.units': 0,
      'head.dropout': 0,
      'fine_tune.enabled': true,
    });
    const network = new FineTuneNetwork(config, '2', backbone, 2);
    expect(network.input).toEqual({ layer: 'block3_pool', pooling: 'none' });
    expect(network.variables.map(({ name }) => name)).toEqual([
      'block4_conv1/kernel',
      'block4_conv1/bias',
      'block4_conv2/kernel',
      'block4_conv2/bias',
      'head/output/kernel',
      'head/output/bias',
    ]);
    const labels = [0, 1];
    tf.tidy(() => {
      const input = backbone.forward(images(), { to: 'block3_pool' });
      const targets = new Loss(2, 0, null).targets(unmixed(labels));
      const { gradients, logits } = network.train(input, targets, createStream('unused'));
      const wanted = tapeGradients(network, input, pooling, targets.values);
      for (const [index, gradient] of gradients.entries()) {
        const expected = wanted[index] as Tensor;
        const scale = tf.max(tf.abs(expected)).dataSync()[0] ?? 0;
        expect(scale).toBeGreaterThan(0);
        const error = tf.max(tf.abs(tf.sub(gradient, expected))).dataSync()[0] ?? NaN;
        expect(error / scale).toBeLessThan(1e-4);
      }
      expect(Array.from(network.predict(input).dataSync())).toEqual(Array.from(logits.dataSync()));
      tf.dispose([...gradients, logits]);
    });
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('starts fine-tuning with the outputs of the head that was trained on the frozen base', () => {
    const parameters = { backbone: 'vgg16', image_size: SIZE, 'fine_tune.enabled': true, 'head.units': 8 };
    const config = compileRunConfig(parameters);
    const head = new HeadNetwork(config, backbone, 3);
    const tuned = new FineTuneNetwork(config, 'last_block', backbone, 3);
    for (const [index, variable] of tuned.headVariables.entries()) {
      variable.assign(head.variables[index]?.values() ?? new Float32Array());
    }
    tf.tidy(() => {
      const pooled = tf.mean(backbone.forward(images()), [1, 2]);
      const expected = head.predict(pooled).dataSync();
      const input = backbone.forward(images(), { to: tuned.input.layer });
      for (const [i, value] of tuned.predict(input).dataSync().entries())
        expect(value).toBeCloseTo(expected[i] ?? NaN, 4);
    });
    head.dispose();
    tuned.dispose();
  });
});

/** Computes the same loss with tfjs only: convolutions, pooling, one dense layer, sigmoid cross-entropy. */
function tapeGradients(
  network: FineTuneNetwork,
  input: Tensor4D,
  pooling: 'flatten' | 'avg' | 'max',
  targets: Tensor,
): Tensor[] {
  const values = network.variables.map((variable) => tf.tensor(variable.values(), [...variable.shape]));
  const loss = (...[k1, b1, k2, b2, w, b]: Tensor[]): Tensor => {
    const first = tf.relu(tf.add(tf.conv2d(input, k1 as Tensor4D, 1, 'same'), b1 as Tensor));
    const second = tf.relu(tf.add(tf.conv2d(first as Tensor4D, k2 as Tensor4D, 1, 'same'), b2 as Tensor));
    const features =
      pooling === 'flatten'
        ? second.reshape([2, -1])
        : pooling === 'avg'
          ? tf.mean(second, [1, 2])
          : tf.max(second, [1, 2]);
    const logits = tf.add(tf.matMul(features as Tensor2D, w as Tensor2D), b as Tensor);
    return tf.mean(tf.losses.sigmoidCrossEntropy(targets, logits));
  };
  return tf.grads(loss)(values);
}
