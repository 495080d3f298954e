import { backboneGraph } from './backbone-graph.ts';
import type { LayerGraph } from './layer-graph.ts';
import { layerIndex } from './layer-graph.ts';
import type { ImageShape } from './layer-shapes.ts';
import type { Layer } from './layer.ts';

/** Layers of a base. */
export interface BaseRange {
  /** The layer below the range; null: the image. */
  readonly from: string | null;
  /** The last layer of the range; null: the last one of the base. */
  readonly to: string | null;
}

/** Cost of some layers of a base for one image. */
export interface BaseCost {
  /** 10⁹ operations, 2 per multiply-add. */
  readonly gflop: number;
  /** Values in the outputs of all layers together. */
  readonly valueCount: number;
  /** Values in the inputs and the output of the layer with the most: what is alive at once in a forward pass. */
  readonly liveValueCount: number;
  readonly weightCount: number;
}

export interface OutputShape {
  /** Height and width. */
  readonly size: number;
  readonly channels: number;
}

/** Forecasts of one sweep ask for the same ranges thousands of times; the graph is the key, so that both are dropped together. */
const known = new WeakMap<LayerGraph, Map<string, BaseCost>>();

/**
 * Returns what an image of `imageSize` pixels costs in some layers, summed layer by layer.
 *
 * @throws {BackboneError} for an unknown backbone or layer
 */
export function costOfLayers(backbone: string, imageSize: number, { from, to }: BaseRange): BaseCost {
  const graph = graphOf(backbone, imageSize);
  const costs = known.get(graph) ?? new Map<string, BaseCost>();
  known.set(graph, costs);
  const key = `${from ?? ''}>${to ?? ''}`;
  const cost =
    costs.get(key) ?? sumLayers(graph, from === null ? 0 : layerIndex(graph, from) + 1, layerIndex(graph, to));
  costs.set(key, cost);
  return cost;
}

/** Returns the shape of a layer's output; null: of the last layer. */
export function outputShapeAt(backbone: string, imageSize: number, layer: string | null): OutputShape {
  const graph = graphOf(backbone, imageSize);
  const [size, , channels] = graph.shapes[layerIndex(graph, layer)] as ImageShape;
  return { size, channels };
}

/** Layers that Keras adds for published weights are included: a cut may name them, and they cost next to nothing. */
function graphOf(backbone: string, imageSize: number): LayerGraph {
  return backboneGraph(backbone, imageSize, true);
}

function sumLayers(graph: LayerGraph, first: number, last: number): BaseCost {
  let operations = 0;
  let valueCount = 0;
  let liveValueCount = 0;
  let weightCount = 0;
  for (let index = first; index <= last; index += 1) {
    const [height, width, channels] = graph.shapes[index] as ImageShape;
    const values = height * width * channels;
    operations += 2 * height * width * productsPerPixel(graph, index);
    valueCount += values;
    if (!isInPlace(graph.layers[index]))
      liveValueCount = Math.max(liveValueCount, values + inputValueCount(graph, index));
    for (const { shape } of graph.weights[index] ?? [])
      weightCount += shape.reduce((product, size) => product * size, 1);
  }
  return { gflop: operations / 1e9, valueCount, liveValueCount, weightCount };
}

/** Normalisation and activation are part of the convolution's kernel before them. */
function isInPlace(layer: Layer | undefined): boolean {
  return layer?.kind === 'batch-norm' || layer?.kind === 'activation' || layer?.kind === 'identity';
}

/** The image is left out: its three channels are never among the most. */
function inputValueCount(graph: LayerGraph, index: number): number {
  const shapes = (graph.inputsOf[index] ?? []).flatMap((input) =>
    input < 0 ? [] : [graph.shapes[input] as ImageShape],
  );
  return shapes.reduce((sum, [height, width, channels]) => sum + height * width * channels, 0);
}

/** Multiply-adds per pixel of the output. Only convolutions count; what the other layers take is in their values. */
function productsPerPixel(graph: LayerGraph, index: number): number {
  const layer = graph.layers[index];
  const inputs = graph.shapes[graph.inputsOf[index]?.[0] ?? -1]?.[2] ?? 3;
  switch (layer?.kind) {
    case 'conv':
      return layer.kernelSize ** 2 * inputs * layer.filters;
    case 'depthwise':
      return layer.kernelSize ** 2 * inputs;
    case 'separable':
      return inputs * (layer.kernelSize ** 2 + layer.filters);
    default:
      return 0;
  }
}
