import { describe, expect, it } from 'vitest';
import { convertEfficientNetLite0 } from '../../../deploy/bootstrap/weights/efficientnet-lite0.js';
import { encodeSafetensors } from '../../../deploy/bootstrap/weights/safetensors.js';

function stored(shape: readonly number[]): {
  shape: number[];
  strides: number[];
  offset: number;
  storage: Float32Array;
} {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const length = shape.reduce((product, size) => product * size, 1);
  return { shape: [...shape], strides, offset: 0, storage: Float32Array.from({ length }, (_, index) => index) };
}

describe('convertEfficientNetLite0', () => {
  it('names layers as Keras does, in the order of the stages', () => {
    const names = convertEfficientNetLite0(
      new Map([
        ['_conv_stem.weight', stored([32, 3, 3, 3])],
        ['_bn0.running_mean', stored([32])],
        ['_blocks.0._depthwise_conv.weight', stored([32, 1, 3, 3])],
        ['_blocks.0._bn1.weight', stored([32])],
        ['_blocks.0._bn1.num_batches_tracked', stored([1])],
        ['_blocks.1._expand_conv.weight', stored([96, 16, 1, 1])],
        ['_blocks.2._bn0.bias', stored([4])],
        ['_blocks.4._bn2.running_var', stored([4])],
        ['_blocks.15._project_conv.weight', stored([320, 1152, 1, 1])],
        ['_conv_head.weight', stored([4, 2, 1, 1])],
        ['_bn1.bias', stored([4])],
        ['_fc.weight', stored([10, 4])],
        ['_fc.bias', stored([10])],
      ]),
    );
    expect([...names].map(([name, { shape }]) => [name, shape])).toEqual([
      ['stem_conv/kernel', [3, 3, 3, 32]],
      ['stem_bn/moving_mean', [32]],
      ['block1a_dwconv/kernel', [3, 3, 32, 1]],
      ['block1a_bn/gamma', [32]],
      ['block2a_expand_conv/kernel', [1, 1, 16, 96]],
      ['block2b_expand_bn/beta', [4]],
      ['block3b_project_bn/moving_variance', [4]],
      ['block7a_project_conv/kernel', [1, 1, 1152, 320]],
      ['top_conv/kernel', [1, 1, 2, 4]],
      ['top_bn/beta', [4]],
    ]);
  });

  it('keeps the numbers of a depthwise kernel with their channels', () => {
    const kernel = convertEfficientNetLite0(new Map([['_blocks.0._depthwise_conv.weight', stored([2, 1, 3, 3])]]));
    // (height 2, width 1, channel 1, 0) is (1, 0, 2, 1) of the source.
    expect(kernel.get('block1a_dwconv/kernel')?.data[(2 * 3 + 1) * 2 + 1]).toBe(1 * 9 + 2 * 3 + 1);
  });

  it.each(['_blocks.16._bn1.weight', '_blocks.0._se_reduce.weight', '_conv_stem.bias', 'layer4.conv.weight'])(
    'refuses %s, which is no part of the network',
    (name) => {
      expect(() => convertEfficientNetLite0(new Map([[name, stored([2])]]))).toThrow(`"${name}" is no tensor`);
    },
  );
});

describe('encodeSafetensors', () => {
  it('writes a header padded to 8 bytes, then the numbers in order', () => {
    const tensors = new Map([
      ['a/kernel', { shape: [2, 1], data: new Float32Array([1, 2]) }],
      ['b/gamma', { shape: [1], data: new Float32Array([3]) }],
    ]);
    const bytes = encodeSafetensors(tensors, { licence: 'Apache-2.0', note: 'Größe' });
    const length = Number(bytes.readBigUInt64LE(0));
    expect(length % 8).toBe(0);
    expect(JSON.parse(bytes.subarray(8, 8 + length).toString('utf8'))).toEqual({
      __metadata__: { licence: 'Apache-2.0', note: 'Größe' },
      'a/kernel': { dtype: 'F32', shape: [2, 1], data_offsets: [0, 8] },
      'b/gamma': { dtype: 'F32', shape: [1], data_offsets: [8, 12] },
    });
    const body = bytes.subarray(8 + length);
    expect([0, 4, 8].map((at) => body.readFloatLE(at))).toEqual([1, 2, 3]);
    expect(body.length).toBe(12);
  });
});
