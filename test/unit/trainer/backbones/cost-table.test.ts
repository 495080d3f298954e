import { expect, test } from 'vitest';
import {
  costBetween,
  endOfBase,
  BASE_INPUT,
  outputShapeAt,
  pointAfter,
} from '../../../../services/core/planner/cost/base-cost.ts';
import { buildLayerGraph } from '../../../../services/core/network/layer-graph.ts';
import type { LayerGraph } from '../../../../services/core/network/layer-graph.ts';
import { backboneDefinition, BACKBONE_NAMES } from '../../../../services/core/network/backbones.ts';

const SIZE = 224;

function graphOf(name: string): LayerGraph {
  return buildLayerGraph(name, backboneDefinition(name).layers(SIZE), SIZE);
}

/** GFLOP, values and weights of the first `count` layers, from the layers themselves. */
function measure(graph: LayerGraph, count: number): { gflop: number; values: number; weights: number } {
  let operations = 0;
  let values = 0;
  let weights = 0;
  for (const [index, layer] of graph.layers.slice(0, count).entries()) {
    const [height = 0, width = 0, channels = 0] = graph.shapes[index] ?? [];
    const inputs = graph.shapes[graph.inputsOf[index]?.[0] ?? -1]?.[2] ?? 3;
    const pixels = height * width;
    values += pixels * channels;
    for (const { shape } of graph.weights[index] ?? []) weights += shape.reduce((product, size) => product * size, 1);
    if (layer.kind === 'conv') operations += 2 * pixels * layer.kernelSize ** 2 * inputs * layer.filters;
    if (layer.kind === 'depthwise') operations += 2 * pixels * layer.kernelSize ** 2 * inputs;
    if (layer.kind === 'separable') operations += 2 * pixels * inputs * (layer.kernelSize ** 2 + layer.filters);
  }
  return { gflop: operations / 1e9, values, weights };
}

test.each(BACKBONE_NAMES)('the cost table says of %s what its layers say', (name) => {
  const graph = graphOf(name);
  const whole = costBetween(name, SIZE, BASE_INPUT, endOfBase(name));
  const real = measure(graph, graph.layers.length);
  expect(whole.gflop / real.gflop).toBeCloseTo(1, 2);
  expect(whole.valueCount / real.values).toBeCloseTo(1, 2);
  expect(whole.weightCount / real.weights).toBeCloseTo(1, 2);
  const [size, , channels] = graph.shapes.at(-1) ?? [0, 0, 0];
  expect(outputShapeAt(name, SIZE, endOfBase(name))).toEqual({ size, channels });
});

test.each(['vgg16', 'resnet50', 'mobilenet_v2', 'efficientnet_b0', 'densenet121', 'xception'])(
  'the prefixes of %s that end with a block cost what their layers cost',
  (name) => {
    const graph = graphOf(name);
    for (const [index, info] of graph.infos.entries()) {
      if (info.block === graph.infos[index + 1]?.block || !info.splittable) continue;
      const { gflop } = costBetween(name, SIZE, BASE_INPUT, pointAfter(graph.infos, info.name));
      expect(gflop / measure(graph, index + 1).gflop).toBeCloseTo(1, 2);
    }
  },
);

test('published figures: VGG16 is 30.7 GFLOP and 14.7 million weights, its last block fine-tunes on a tenth of that', () => {
  const graph = graphOf('vgg16');
  const whole = costBetween('vgg16', SIZE, BASE_INPUT, endOfBase('vgg16'));
  expect(whole.gflop).toBeCloseTo(30.69, 1);
  expect(whole.weightCount / 1e6).toBeCloseTo(14.71, 2);
  const top = costBetween('vgg16', SIZE, pointAfter(graph.infos, 'block4_pool'), endOfBase('vgg16'));
  expect(top.gflop).toBeCloseTo(2.775, 2);
  // Half the sides, a quarter of the work.
  expect(costBetween('vgg16', SIZE / 2, BASE_INPUT, endOfBase('vgg16')).gflop).toBeCloseTo(whole.gflop / 4, 6);
});
