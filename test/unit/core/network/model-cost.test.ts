import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { modelCost } from '../../../../services/core/network/model-cost.ts';
import { compileRunConfig } from '../../../../services/core/search-space/compile.ts';
import type { Parameters } from '../../../../services/core/sweep/sweep-spec.ts';

/** Every backbone as Keras builds it (`test/parity/backbone-layers.py`). */
const KERAS = JSON.parse(readFileSync(new URL('../../../parity/backbone-layers.json', import.meta.url), 'utf8')) as {
  readonly backbones: readonly { readonly backbone: string; readonly size: number; readonly parameters: number }[];
};

function costOf(parameters: Parameters, classCount = 2): ReturnType<typeof modelCost> {
  return modelCost(compileRunConfig(parameters), classCount);
}

test.each(KERAS.backbones)("$backbone at $size pixels: Keras' parameters and one unit on top", (known) => {
  const parameters = { backbone: known.backbone, image_size: known.size, 'head.units': 0 };
  const { parameterCount } = costOf(parameters);
  // Three classes have three units, two have one.
  const unit = (costOf(parameters, 3).parameterCount - parameterCount) / 2;
  expect(parameterCount - unit).toBe(known.parameters);
});

test("multiply-adds are those of the authors' papers, whose classifiers have 1,000 classes", () => {
  const published = [
    ['vgg16', 15.3, { 'head.pooling': 'flatten', 'head.units': 4096, 'head.layers': 2 }],
    ['mobilenet', 0.569, {}],
    ['mobilenet_v2', 0.3, {}],
    ['efficientnet_b0', 0.39, {}],
    ['densenet121', 2.87, {}],
    ['resnet50', 3.8, {}],
  ] as const;
  for (const [backbone, gigaProducts, head] of published) {
    const { flops } = costOf({ backbone, image_size: 224, 'head.units': 0, ...head }, 1_000);
    expect(flops / 2e9 / gigaProducts, backbone).toBeGreaterThan(0.96);
    expect(flops / 2e9 / gigaProducts, backbone).toBeLessThan(1.04);
  }
});

test("with their own classifiers, the parameters are those on Keras' page of applications", () => {
  const published = [
    ['vgg16', 138_357_544, { 'head.pooling': 'flatten', 'head.units': 4096, 'head.layers': 2 }],
    ['resnet50', 25_636_712, {}],
    ['mobilenet', 4_253_864, {}],
    ['mobilenet_v2', 3_538_984, {}],
    ['efficientnet_b0', 5_330_571, {}],
    ['densenet121', 8_062_504, {}],
  ] as const;
  for (const [backbone, count, head] of published) {
    const { parameterCount } = costOf({ backbone, image_size: 224, 'head.units': 0, ...head }, 1_000);
    expect(parameterCount, backbone).toBe(count);
  }
});

test('a cut removes what lies above it, pooling decides what a head reads, and the size only the operations', () => {
  const whole = costOf({ backbone: 'vgg16', 'head.units': 64 });
  const cut = costOf({ backbone: 'vgg16', cut: 'block3_pool', 'head.units': 64 });
  expect(cut.parameterCount).toBeLessThan(whole.parameterCount / 5);
  const flat = costOf({ backbone: 'vgg16', 'head.units': 64, 'head.pooling': 'flatten', image_size: 180 });
  const pooled = costOf({ backbone: 'vgg16', 'head.units': 64, 'head.pooling': 'avg', image_size: 180 });
  expect(flat.parameterCount - pooled.parameterCount).toBe((5 * 5 - 1) * 512 * 64);
  expect(flat.flops - pooled.flops).toBe(2 * (5 * 5 - 1) * 512 * 64);
  const small = costOf({ backbone: 'vgg16', 'head.units': 64, image_size: 96 });
  expect(small.parameterCount).toBe(whole.parameterCount);
  expect(small.flops).toBeLessThan(whole.flops);
});
