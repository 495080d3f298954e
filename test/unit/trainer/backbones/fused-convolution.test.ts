import { arch } from 'node:process';
import { describe, expect, it } from 'vitest';
import { applyActivation } from '../../../../services/trainer/backbones/activation-ops.ts';
import { fusedConvolution } from '../../../../services/trainer/backbones/fused-convolution.ts';
import type { FusableOp } from '../../../../services/trainer/backbones/fused-convolution.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import { executeOp, intAttribute, stringAttribute, typeAttribute } from '../../../../services/trainer/engine/op.ts';

const CHANNELS = 16;

describe.runIf(arch === 'x64')('fusedConvolution', () => {
  const cases = (['Conv2D', 'DepthwiseConv2dNative'] as const).flatMap((op) =>
    (['linear', 'relu', 'relu6', 'sigmoid', 'swish'] as const).flatMap((activation) =>
      (['SAME', 'VALID'] as const).flatMap((padding) => [1, 2].map((stride) => ({ op, activation, padding, stride }))),
    ),
  );

  it.each(cases)('$op, $activation, $padding, stride $stride: as the ops one by one', (one) => {
    const { op, activation, padding, stride } = one;
    const tensors = tf.memory().numTensors;
    const window = [
      typeAttribute('T', 'float32'),
      intAttribute('strides', [1, stride, stride, 1]),
      stringAttribute('padding', padding),
    ];
    const difference = tf.tidy(() => {
      const input = tf.randomNormal([3, 9, 9, CHANNELS], 0, 2, 'float32', 1);
      const kernel = tf.randomNormal(kernelShape(op), 0, 0.3, 'float32', 2);
      const bias = tf.randomNormal([CHANNELS], 0, 1, 'float32', 3);
      const fused = fusedConvolution(op, window, activation);
      // If this were null, everything would still work, only slower and unnoticed.
      if (fused === null) throw new Error(`TensorFlow has no fused ${op}.`);
      const convolved = executeOp(
        'BiasAdd',
        [typeAttribute('T', 'float32')],
        [executeOp(op, window, [input, kernel]), bias],
      );
      const separate = applyActivation(convolved, activation);
      return tf.max(tf.abs(tf.sub(fused(input, kernel, bias), separate))).dataSync<'float32'>()[0];
    });
    expect(difference).toBeLessThan(2e-5);
    expect(tf.memory().numTensors).toBe(tensors);
  });
});

function kernelShape(op: FusableOp): number[] {
  return op === 'Conv2D' ? [3, 3, CHANNELS, CHANNELS] : [3, 3, CHANNELS, 1];
}
