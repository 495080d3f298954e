import { describe, expect, it } from 'vitest';
import type { AugmentationConfig } from '../../../../services/core/run-config.ts';
import { augmentBatch, drawAugmentation } from '../../../../services/trainer/augmentation/augment.ts';
import type { AugmentationDraw } from '../../../../services/trainer/augmentation/augment.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import type { Tensor4D } from '../../../../services/trainer/engine/engine.ts';

const CONFIG: AugmentationConfig = {
  flip: 'horizontal',
  rotation: 0.1,
  zoom: 0.2,
  zoomWidth: null,
  translationHeight: 0,
  translationWidth: 0,
  contrast: 0,
  brightness: 0,
  saturation: 0,
  hue: 0,
  randAugment: null,
  mixup: null,
  cutmix: null,
  fillMode: 'reflect',
  fillValue: 0,
  interpolation: 'bilinear',
  seed: 9,
};
const ALL_ON: AugmentationConfig = {
  ...CONFIG,
  zoomWidth: 0.1,
  translationHeight: 0.3,
  translationWidth: 0.2,
  contrast: 0.4,
  brightness: 0.25,
  saturation: 0.2,
  hue: 0.3,
};
const SIZE = 12;

/** Returns images of noise; image `i` is the same in every call. */
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
  it('returns the same image regardless of the batch', () => {
    const length = SIZE * SIZE * 3;
    const batch = augment([4, 8, 2], 3);
    expect(augment([8], 3)).toEqual(batch.slice(length, 2 * length));
    expect(augment([2, 4], 3).slice(length)).toEqual(batch.slice(0, length));
  });

  it('returns another image for another epoch or seed', () => {
    const first = augment([4], 1);
    expect(augment([4], 1)).toEqual(first);
    expect(augment([4], 2)).not.toEqual(first);
    expect(augment([4], 1, { ...CONFIG, seed: 10 })).not.toEqual(first);
  });

  it('returns equal images when all layers are off, and never changes its input', () => {
    const input = images([1, 2]);
    const before = input.dataSync();
    const off = augmentBatch(input, { ...CONFIG, flip: 'none', rotation: 0, zoom: 0 }, { epoch: 1, indices: [1, 2] });
    expect(off.dataSync()).toEqual(before);
    const on = augmentBatch(input, CONFIG, { epoch: 1, indices: [1, 2] });
    expect(input.dataSync()).toEqual(before);
    expect(on.dataSync()).not.toEqual(before);
    tf.dispose([input, off, on]);
  });

  it('disposes of its tensors', () => {
    const before = tf.memory().numTensors;
    for (const fillMode of ['reflect', 'wrap', 'constant', 'nearest'] as const)
      augment([1, 2], 1, { ...CONFIG, fillMode });
    augment([1, 2], 1, { ...ALL_ON, flip: 'horizontal_and_vertical', interpolation: 'nearest' });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('requires an index for each image', () => {
    const input = images([1, 2]);
    expect(() => augmentBatch(input, CONFIG, { epoch: 1, indices: [1] })).toThrow(
      '2 images need as many draws; received 1',
    );
    input.dispose();
  });
});

describe('drawAugmentation', () => {
  const draws = Array.from({ length: 2000 }, (_, index) => drawAugmentation(CONFIG, 1, index));

  it("covers Keras' ranges without exceeding them", () => {
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

  it('draws the values of the later layers within their ranges', () => {
    const all = Array.from({ length: 2000 }, (_, index) => drawAugmentation(ALL_ON, 1, index));
    const range = (field: keyof Omit<AugmentationDraw, 'flip'>): [number, number] => {
      const values = all.map((draw) => draw[field]);
      return [Math.min(...values), Math.max(...values)];
    };
    for (const [field, low, high] of [
      ['widthZoom', 0.9, 1.1],
      ['downward', -0.3, 0.3],
      ['rightward', -0.2, 0.2],
      ['contrast', 1, 1.4],
      ['brightness', -0.25, 0.25],
      ['saturation', 3 / 7, 7 / 3],
      ['hue', -0.15, 0.15],
    ] as const) {
      const [least, largest] = range(field);
      expect(least).toBeGreaterThanOrEqual(low);
      expect(least).toBeLessThan(low + 0.01 * (high - low));
      expect(largest).toBeLessThanOrEqual(high);
      expect(largest).toBeGreaterThan(high - 0.01 * (high - low));
    }
  });

  it('preserves the aspect ratio unless the width has its own zoom', () => {
    expect(draws.every(({ zoom, widthZoom }) => zoom === widthZoom)).toBe(true);
    expect(drawAugmentation({ ...CONFIG, zoomWidth: 0 }, 1, 5).widthZoom).toBe(1);
  });

  it('draws the same values whether or not other layers are enabled', () => {
    const alone = drawAugmentation({ ...CONFIG, flip: 'none', zoom: 0 }, 1, 5);
    expect(alone.angle).toBe(draws[5]?.angle);
    expect(alone.zoom).toBe(1);
    const { flip, angle, zoom } = drawAugmentation(ALL_ON, 1, 5);
    expect({ flip, angle, zoom }).toEqual({ flip: draws[5]?.flip, angle: draws[5]?.angle, zoom: draws[5]?.zoom });
    const bright = drawAugmentation({ ...CONFIG, brightness: 0.25 }, 1, 5);
    expect(bright.brightness).toBe(drawAugmentation(ALL_ON, 1, 5).brightness);
  });

  it('draws the recorded numbers: a finished run must be able to resume', () => {
    expect(drawAugmentation(ALL_ON, 3, 7)).toMatchInlineSnapshot(`
      {
        "angle": -4.119349479675293,
        "brightness": -0.1529119312763214,
        "contrast": 1.303920531272888,
        "downward": -0.2151624083518982,
        "flip": true,
        "hue": 0.07979216873645782,
        "rightward": 0.1851367473602295,
        "saturation": 1.2717387676239014,
        "widthZoom": 0.9124758839607239,
        "zoom": 1.184471106529236,
      }
    `);
  });
});
