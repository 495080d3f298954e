import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveUnfreeze } from '../../../../services/core/network/resolve-unfreeze.ts';
import type { Backbone } from '../../../../services/trainer/backbones/backbone.ts';
import { BackboneError } from '../../../../services/core/network/backbone-error.ts';
import { createBackbone } from '../../../../services/trainer/backbones/graph-backbone.ts';
import { kerasOrder } from '../../../../services/core/network/keras-order.ts';
import { buildLayerGraph } from '../../../../services/core/network/layer-graph.ts';
import { isTrained } from '../../../../services/core/network/layer-shapes.ts';
import { loadBackbone } from '../../../../services/trainer/backbones/load.ts';
import { randomWeights, randomWeightsDigest } from '../../../../services/trainer/backbones/random-weights.ts';
import { BACKBONE_NAMES, backboneDefinition, minimumImageSize } from '../../../../services/core/network/backbones.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import type { Tensor, Tensor4D } from '../../../../services/trainer/engine/engine.ts';
import { formulaWeight } from '../../../parity/formula.ts';

const SIZE = 64;

async function load(name: string, inputSize = SIZE): Promise<Backbone> {
  return loadBackbone({ backbone: name, weights: 'random', inputSize, cacheDir: '/nowhere' });
}

function read(tensor: Tensor): Float32Array {
  const values = tensor.dataSync<'float32'>();
  tensor.dispose();
  return values;
}

function zeroImages(size: number): Tensor4D {
  return tf.tensor4d(new Float32Array(size * size * 3), [1, size, size, 3]);
}

function bytes(values: Float32Array = new Float32Array()): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Returns weights at a scale that carries signals through: Keras' random ones fade out where nothing normalises. */
function createWithFormulaWeights(name: string): Backbone {
  const { layers, preprocessing } = backboneDefinition(name);
  const specs = buildLayerGraph(name, layers(SIZE), SIZE).weights.flat();
  const weights = new Map(specs.map((spec) => [spec.name, { ...spec, values: formulaWeight(spec.name, spec.shape) }]));
  return createBackbone({ name, inputSize: SIZE, layers: layers(SIZE), weights, weightsDigest: '', preprocessing });
}

/** Largest difference relative to the largest expected value. */
function difference(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  const largest = expected.reduce((result, value) => Math.max(result, Math.abs(value)), 0);
  return (
    actual.reduce((result, value, index) => Math.max(result, Math.abs(value - (expected[index] ?? NaN))), 0) / largest
  );
}

it('names each backbone once, and its smallest images leave a pixel at every layer', () => {
  expect(new Set(BACKBONE_NAMES).size).toBe(BACKBONE_NAMES.length);
  for (const name of BACKBONE_NAMES) {
    const size = minimumImageSize(name);
    expect(buildLayerGraph(name, backboneDefinition(name).layers(size), size).shapes.flat()).not.toContain(0);
  }
});

describe.each([
  { name: 'vgg16', layerCount: 18, parameterCount: 14_714_688, tensorCount: 26, block: 'block5', cut: 'block4_pool' },
  { name: 'xception', layerCount: 131, parameterCount: 20_861_480, tensorCount: 234, block: 'block14', cut: 'add_10' },
  {
    name: 'resnet50',
    layerCount: 174,
    parameterCount: 23_587_712,
    tensorCount: 318,
    block: 'conv5',
    cut: 'conv5_block2_out',
  },
  {
    name: 'resnet50_v2',
    layerCount: 189,
    parameterCount: 23_564_800,
    tensorCount: 270,
    block: 'conv5',
    cut: 'conv5_block2_out',
  },
  {
    name: 'mobilenet',
    layerCount: 85,
    parameterCount: 3_228_864,
    tensorCount: 135,
    block: 'block_13',
    cut: 'conv_pw_11_relu',
  },
  {
    name: 'mobilenet_v2',
    layerCount: 153,
    parameterCount: 2_257_984,
    tensorCount: 260,
    block: 'block_16',
    cut: 'block_12_add',
  },
  {
    name: 'efficientnet_lite0',
    layerCount: 140,
    parameterCount: 3_413_024,
    tensorCount: 245,
    block: 'block7',
    cut: 'block6c_add',
  },
  {
    name: 'efficientnet_lite1',
    layerCount: 185,
    parameterCount: 4_189_344,
    tensorCount: 320,
    block: 'block7',
    cut: 'block6d_add',
  },
  {
    name: 'efficientnet_lite2',
    layerCount: 185,
    parameterCount: 4_869_168,
    tensorCount: 320,
    block: 'block7',
    cut: 'block6d_add',
  },
  {
    name: 'efficientnet_b0',
    layerCount: 236,
    parameterCount: 4_049_571,
    tensorCount: 312,
    block: 'block7',
    cut: 'block6c_add',
  },
  {
    name: 'efficientnet_v2_b0',
    layerCount: 269,
    parameterCount: 5_919_312,
    tensorCount: 359,
    block: 'block6',
    cut: 'block6g_add',
  },
  {
    name: 'densenet121',
    layerCount: 426,
    parameterCount: 7_037_504,
    tensorCount: 604,
    block: 'conv5',
    cut: 'conv5_block14_concat',
  },
])('$name', ({ name, layerCount, parameterCount, tensorCount, block, cut }) => {
  let backbone: Backbone;
  let images: Tensor4D;

  beforeAll(() => {
    backbone = createWithFormulaWeights(name);
    images = tf.randomUniform([2, SIZE, SIZE, 3], 0, 255, 'float32', 7);
  });

  afterAll(() => {
    images.dispose();
    backbone.dispose();
  });

  it('has the layers and parameters of its original', () => {
    const graph = buildLayerGraph(name, backboneDefinition(name).layers(SIZE), SIZE);
    const specs = graph.weights.flat();
    expect(backbone.layers).toHaveLength(layerCount);
    expect(backbone.layers.at(-1)).toMatchObject({ block, splittable: true });
    expect(specs).toHaveLength(tensorCount);
    const sizes = specs.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
    expect(sizes.reduce((sum, size) => sum + size)).toBe(parameterCount);
  });

  it('gives the same output in one go and in two parts', () => {
    const whole = read(backbone.forward(images));
    const lower = backbone.forward(images, { to: cut });
    const upper = read(backbone.forward(lower, { from: cut }));
    lower.dispose();
    expect(upper).toEqual(whole);
  });

  it.each(['last', 'cut', 'first'])(
    'has a trainable top that starts as the frozen base (from the %s layer on)',
    (place) => {
      const index = backbone.layers.findIndex((layer) => layer.name === cut);
      const from = {
        last: backbone.layers[layerCount - 4],
        cut: backbone.layers[index - 3],
        first: backbone.layers[0],
      }[place];
      const whole = read(backbone.forward(images));
      const top = backbone.createTop(from?.name ?? '', null);
      const input = top.splitAfter === null ? images.clone() : backbone.forward(images, { to: top.splitAfter });
      const parameters = top.parameters.map(({ values, shape }) => tf.tensor(values, [...shape]));
      expect(difference(read(tf.tidy(() => top.forward(input, parameters))), whole)).toBeLessThan(1e-5);
      expect(top.parameters.every((parameter) => /\/((depthwise_|pointwise_)?kernel|bias)$/.test(parameter.name))).toBe(
        true,
      );
      tf.dispose([input, parameters]);
      top.dispose();
    },
  );

  it('moves its output where the gradient says and gives every parameter one', () => {
    const top = backbone.createTop(cut, null);
    const input = top.splitAfter === null ? images.clone() : backbone.forward(images, { to: top.splitAfter });
    const parameters = top.parameters.map(({ values, shape }) => tf.tensor(values, [...shape]));
    const loss = (...values: Tensor[]): Tensor => tf.mean(tf.square(top.forward(input, values)));
    const gradients = tf.grads(loss)(parameters);
    // The loss falls by rate · |gradient|² along the gradient, to first order.
    const squaredNorm = gradients.reduce((sum, gradient) => sum + (read(tf.sum(tf.square(gradient)))[0] ?? 0), 0);
    const before = read(tf.tidy(() => loss(...parameters)))[0] ?? NaN;
    const rate = (0.002 * before) / squaredNorm;
    const moved = parameters.map((value, index) =>
      tf.tidy(() => tf.sub(value, tf.mul(gradients[index] as Tensor, rate))),
    );
    const after = read(tf.tidy(() => loss(...moved)))[0] ?? NaN;
    expect((before - after) / (rate * squaredNorm)).toBeCloseTo(1, 1);
    expect(gradients.map(({ shape }) => shape)).toEqual(top.parameters.map(({ shape }) => shape));
    tf.dispose([input, parameters, gradients, moved]);
    top.dispose();
  });

  it('frees every tensor', async () => {
    const before = tf.memory().numTensors;
    const other = await load(name);
    other.forward(images).dispose();
    const constants = tf.memory().numTensors;
    for (let repeat = 0; repeat < 3; repeat++) other.forward(images).dispose();
    expect(tf.memory().numTensors).toBe(constants);
    other.createTop(cut, null);
    other.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('every base', () => {
  it.each(BACKBONE_NAMES)('%s has blocks that lie together, the last of which can be trained', (name) => {
    const { infos, weights } = buildLayerGraph(name, backboneDefinition(name).layers(SIZE), SIZE);
    const blocks = infos.map(({ block }) => block).filter((block, index, all) => block !== all[index - 1]);
    expect(new Set(blocks).size).toBe(blocks.length);
    const { trainableFrom, prefixCut } = resolveUnfreeze(infos, null, 'last_block');
    const from = infos.findIndex((info) => info.name === trainableFrom);
    expect(infos[from - 1]?.name).toBe(prefixCut);
    expect(infos[from - 1]?.block).toBe(blocks.at(-2));
    expect(weights.slice(from).flat().filter(isTrained).length).toBeGreaterThan(0);
    expect(new Set(infos.map((info) => info.name)).size).toBe(infos.length);
  });
});

describe('Keras order', () => {
  const plain = { kind: 'add', block: 'a' } as const;

  it('is by distance from the output, then as a walk from there meets the layers', () => {
    const layers = [
      { ...plain, name: 'stem', inputs: [] },
      { ...plain, name: 'shortcut', inputs: ['stem'] },
      { ...plain, name: 'main1', inputs: ['stem'] },
      { ...plain, name: 'main2', inputs: ['main1'] },
      { ...plain, name: 'out', inputs: ['shortcut', 'main2'] },
    ];
    expect(kerasOrder('x', layers).map(({ name }) => name)).toEqual(['stem', 'main1', 'shortcut', 'main2', 'out']);
  });

  it('refuses layers that lead nowhere or come from nowhere', () => {
    const stem = { ...plain, name: 'stem', inputs: [] };
    const lost = { ...plain, name: 'lost', inputs: ['stem'] };
    const out = { ...plain, name: 'out', inputs: ['stem'] };
    expect(() => kerasOrder('x', [stem, lost, out])).toThrow('nothing reads layer "lost"');
    expect(() => kerasOrder('x', [lost, stem, out])).toThrow('unknown input layer "stem"');
  });
});

describe('errors', () => {
  let backbone: Backbone;

  beforeAll(async () => {
    backbone = await load('mobilenet_v2');
  });

  afterAll(() => {
    backbone.dispose();
  });

  it('lists the backbones', async () => {
    await expect(load('resnet')).rejects.toThrow(`There is no backbone "resnet". Known: ${BACKBONE_NAMES.join(', ')}.`);
  });

  it('says at which layer an image is too small', async () => {
    await expect(load('vgg16', 16)).rejects.toThrow(/16 pixels are too small for vgg16.*block5_pool/);
  });

  it('knows no such layer', () => {
    expect(() => backbone.outputShape('block_99')).toThrow(/mobilenet_v2 has no layer "block_99"/);
  });

  it('does not cut beside a shortcut, and names the next place', () => {
    const images = zeroImages(SIZE);
    expect(() => backbone.forward(images, { to: 'block_2_expand' })).toThrow(
      /next layer where it can is "block_2_add"/,
    );
    images.dispose();
  });

  it('says which input it wants', () => {
    const images = zeroImages(32);
    expect(() => backbone.forward(images)).toThrow(
      'wants [n, 64, 64, 3] after the image input; received [1, 32, 32, 3]',
    );
    images.dispose();
  });

  it('refuses to train nothing', () => {
    expect(() => backbone.createTop('out_relu', null)).toThrow(BackboneError);
    expect(() => backbone.createTop('out_relu', null)).toThrow('No layer from "out_relu" on has weights to train');
    expect(() => backbone.createTop('Conv_1', 'block_12_add')).toThrow('lies above the cut');
  });

  it('names the layer and both shapes of a weight that does not fit', () => {
    const layers = backboneDefinition('vgg16').layers(SIZE);
    const weights = new Map(randomWeights(buildLayerGraph('vgg16', layers, SIZE), 0));
    const parts = {
      name: 'vgg16',
      inputSize: SIZE,
      layers,
      weights,
      weightsDigest: '',
      preprocessing: 'caffe',
    } as const;
    weights.set('block1_conv2/kernel', { shape: [3, 3, 64, 32], values: new Float32Array(3 * 3 * 64 * 32) });
    expect(() => createBackbone(parts)).toThrow(
      /layer block1_conv2 needs .* \[3, 3, 64, 64\], but the file has \[3, 3, 64, 32\]/,
    );
    weights.delete('block1_conv2/kernel');
    expect(() => createBackbone(parts)).toThrow(/block1_conv2.*missing/);
  });
});

describe('random weights', () => {
  const graph = buildLayerGraph('mobilenet_v2', backboneDefinition('mobilenet_v2').layers(SIZE), SIZE);

  it('are the same for the same seed and lie within the Glorot limit', () => {
    const first = randomWeights(graph, 1);
    const again = randomWeights(graph, 1);
    for (const [name, { values }] of first)
      expect(Buffer.compare(bytes(values), bytes(again.get(name)?.values))).toBe(0);
    expect(randomWeights(graph, 2).get('Conv1/kernel')).not.toEqual(first.get('Conv1/kernel'));
    const values = first.get('block_1_expand/kernel')?.values ?? new Float32Array();
    const limit = Math.sqrt(6 / (16 + 96));
    expect(Math.max(...values)).toBeGreaterThan(0.99 * limit);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(limit);
    expect(first.get('bn_Conv1/gamma')?.values[0]).toBe(1);
    expect(first.get('bn_Conv1/moving_mean')?.values[0]).toBe(0);
  });

  it("are normal, cut off at two deviations and scaled by the outputs, where Keras' layers say so", () => {
    const layers = backboneDefinition('efficientnet_b0').layers(SIZE);
    const weights = randomWeights(buildLayerGraph('efficientnet_b0', layers, SIZE), 1);
    const values = weights.get('top_conv/kernel')?.values ?? new Float32Array();
    const deviation = Math.sqrt(2 / 1280);
    const meanSquare = values.reduce((sum, value) => sum + value * value, 0) / values.length;
    expect(Math.sqrt(meanSquare) / deviation).toBeCloseTo(1, 2);
    expect(Math.max(...values.slice(0, 10_000)) / deviation).toBeCloseTo(2 / 0.8796, 1);
    expect(weights.get('normalization/variance')?.values).toEqual(new Float32Array(3).fill(1));
    expect(weights.get('normalization/count')).toEqual({ shape: [], values: new Float32Array(1) });
  });

  it('have a digest of their own per backbone and seed', () => {
    const digests = [
      randomWeightsDigest('vgg16', 0),
      randomWeightsDigest('vgg16', 1),
      randomWeightsDigest('mobilenet_v2', 0),
    ];
    expect(new Set(digests).size).toBe(3);
  });
});
