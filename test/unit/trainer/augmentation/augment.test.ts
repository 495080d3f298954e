import { describe, expect, it } from 'vitest';
import type { AugmentationConfig } from '../../../../services/core/run-config.ts';
import { augmentBatch, drawAugmentation } from '../../../../services/trainer/augmentation/augment.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import type { Tensor4D } from '../../../../services/trainer/engine/engine.ts';

const CONFIG: AugmentationConfig = { flip: 'horizontal', rotation: 0.1, zoom: 0.2, fillMode: 'reflect', seed: 9 };
const SIZE = 12;

/** Image `i` of a data set of noise. */
function images(indices: readonly number[]): Tensor4D {
  return tf.tidy(() => {
    const all = indices.map((index) => tf.randomUniform([SIZE, SIZE, 3], 0, 255, 'float32', index + 1));
    return tf.stack(all) as Tensor4D;
  });
}

function augment(indices: readonly number[], epoch: number, config = CONFIG): Float32Array {
  const input = images(indices);
  const output = augmentBatch(input, config, { epoch, indices });
  const values = output.dataSync<'float32'>();
  tf.dispose([input, output]);
  return values;
}

describe('augmentBatch', () => {
  it('makes the same image whatever batch it is in', () => {
    const length = SIZE * SIZE * 3;
    const batch = augment([4, 8, 2], 3);
    expect(augment([8], 3)).toEqual(batch.slice(length, 2 * length));
    expect(augment([2, 4], 3).slice(length)).toEqual(batch.slice(0, length));
  });

  it('makes another one in another epoch or with another seed', () => {
    const first = augment([4], 1);
    expect(augment([4], 1)).toEqual(first);
    expect(augment([4], 2)).not.toEqual(first);
    expect(augment([4], 1, { ...CONFIG, seed: 10 })).not.toEqual(first);
  });

  it('leaves the images as they are when everything is off, and never changes its input', () => {
    const input = images([1, 2]);
    const before = input.dataSync();
    const off = augmentBatch(input, { ...CONFIG, flip: 'none', rotation: 0, zoom: 0 }, { epoch: 1, indices: [1, 2] });
    expect(off.dataSync()).toEqual(before);
    const on = augmentBatch(input, CONFIG, { epoch: 1, indices: [1, 2] });
    expect(input.dataSync()).toEqual(before);
    expect(on.dataSync()).not.toEqual(before);
    tf.dispose([input, off, on]);
  });

  it('frees its tensors', () => {
    const before = tf.memory().numTensors;
    for (const fillMode of ['reflect', 'wrap', 'constant', 'nearest'] as const)
      augment([1, 2], 1, { ...CONFIG, fillMode });
    augment([1, 2], 1, { ...CONFIG, flip: 'horizontal_and_vertical' });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('wants a number for each image', () => {
    const input = images([1, 2]);
    expect(() => augmentBatch(input, CONFIG, { epoch: 1, indices: [1] })).toThrow(
      '2 images need as many draws; received 1',
    );
    input.dispose();
  });
});

describe('drawAugmentation', () => {
  const draws = Array.from({ length: 2000 }, (_, index) => drawAugmentation(CONFIG, 1, index));

  it("stays within Keras' ranges and fills them", () => {
    const angles = draws.map(({ angle }) => angle);
    const zooms = draws.map(({ zoom }) => zoom);
    expect(Math.min(...angles)).toBeGreaterThanOrEqual(-36);
    expect(Math.min(...angles)).toBeLessThan(-35);
    expect(Math.max(...angles)).toBeLessThanOrEqual(36);
    expect(Math.max(...angles)).toBeGreaterThan(35);
    expect(Math.min(...zooms)).toBeGreaterThanOrEqual(0.8);
    expect(Math.max(...zooms)).toBeLessThanOrEqual(1.2);
    const flipped = draws.filter(({ flip }) => flip).length;
    expect(Math.abs(flipped - 1000)).toBeLessThan(4 * Math.sqrt(500));
  });

  it('draws the same angle whether or not other layers are on', () => {
    const alone = drawAugmentation({ ...CONFIG, flip: 'none', zoom: 0 }, 1, 5);
    expect(alone.angle).toBe(draws[5]?.angle);
    expect(alone.zoom).toBe(1);
  });
});
