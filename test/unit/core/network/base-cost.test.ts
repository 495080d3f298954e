import { expect, test } from 'vitest';
import { backboneGraph } from '../../../../services/core/network/backbone-graph.ts';
import { BACKBONE_NAMES } from '../../../../services/core/network/backbones.ts';
import { costOfLayers, outputShapeAt } from '../../../../services/core/network/base-cost.ts';

const SIZE = 224;

test.each(BACKBONE_NAMES)('%s: two parts of the base cost what the whole base costs', (name) => {
  const { infos, shapes } = backboneGraph(name, SIZE);
  const whole = costOfLayers(name, SIZE, { from: null, to: null });
  expect(whole.gflop).toBeGreaterThan(0.05);
  expect(whole.weightCount).toBeGreaterThan(1e5);
  const [size, , channels] = shapes.at(-1) ?? [0, 0, 0];
  expect(outputShapeAt(name, SIZE, null)).toEqual({ size, channels });
  for (const { name: layer, splittable } of infos) {
    if (!splittable) continue;
    const prefix = costOfLayers(name, SIZE, { from: null, to: layer });
    const top = costOfLayers(name, SIZE, { from: layer, to: null });
    expect((prefix.gflop + top.gflop) / whole.gflop).toBeCloseTo(1, 9);
    expect(prefix.weightCount + top.weightCount).toBe(whole.weightCount);
    expect(prefix.valueCount + top.valueCount).toBe(whole.valueCount);
    expect(Math.max(prefix.liveValueCount, top.liveValueCount)).toBe(whole.liveValueCount);
  }
});

test('published figures: VGG16 is 30.7 GFLOP and 14.7 million weights, its last block fine-tunes on a tenth of that', () => {
  const whole = costOfLayers('vgg16', SIZE, { from: null, to: null });
  expect(whole.gflop).toBeCloseTo(30.69, 1);
  expect(whole.weightCount / 1e6).toBeCloseTo(14.71, 2);
  const top = costOfLayers('vgg16', SIZE, { from: 'block4_pool', to: null });
  expect(top.gflop).toBeCloseTo(2.775, 2);
  // Half the sides, a quarter of the work.
  expect(costOfLayers('vgg16', SIZE / 2, { from: null, to: null }).gflop).toBeCloseTo(whole.gflop / 4, 6);
});

test('published figures of other bases: GFLOP and million weights', () => {
  const figures = ['resnet50', 'mobilenet_v2', 'densenet121', 'efficientnet_b0'].map((name) => {
    const { gflop, weightCount } = costOfLayers(name, SIZE, { from: null, to: null });
    return [name, Number(gflop.toFixed(1)), Number((weightCount / 1e6).toFixed(1))];
  });
  expect(figures).toEqual([
    ['resnet50', 7.7, 23.6],
    ['mobilenet_v2', 0.6, 2.3],
    ['densenet121', 5.7, 7.0],
    ['efficientnet_b0', 0.8, 4.0],
  ]);
});

test('a layer beside a shortcut costs its own arithmetic, within a block too', () => {
  // block4_conv2 of VGG16 at 224 pixels: 28 × 28 pixels, 3 × 3 × 512 × 512 weights.
  const { gflop } = costOfLayers('vgg16', SIZE, { from: 'block4_conv1', to: 'block4_conv2' });
  expect(gflop).toBeCloseTo((2 * 28 ** 2 * 9 * 512 ** 2) / 1e9, 9);
  // Its second convolution reads and writes 224 × 224 × 64 values.
  expect(costOfLayers('vgg16', SIZE, { from: null, to: null }).liveValueCount).toBe(2 * 64 * SIZE ** 2);
  // A residual block's addition: the shortcut, the branch and their sum; the block's input is not read any more.
  const { liveValueCount } = costOfLayers('resnet50', SIZE, { from: 'conv2_block1_out', to: 'conv2_block2_out' });
  expect(liveValueCount).toBe(3 * 256 * (SIZE / 4) ** 2);
  // 180 pixels are 180, 90, 45, 22, 11 and 5 after the pools.
  expect(outputShapeAt('vgg16', 180, 'block4_pool')).toEqual({ size: 11, channels: 512 });
  expect(() => costOfLayers('vgg16', SIZE, { from: null, to: 'block9' })).toThrow('no layer "block9"');
});
