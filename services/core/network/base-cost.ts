import { backboneGraph } from './backbone-graph.ts';
import { backboneDefinition } from './backbones.ts';
import type { LayerGraph } from './layer-graph.ts';
import { layerIndex } from './layer-graph.ts';
import { outputShapeOf, valueCountOf } from './layer-shapes.ts';
import type { ImageShape, WeightSpec } from './layer-shapes.ts';
import type { Layer } from './layer.ts';
import { liveValues } from './live-values.ts';

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
  /** Values that exist at once in a forward pass, at the layer where they are the most. */
  readonly liveValueCount: number;
  readonly weightCount: number;
  /** Bytes of the weights in an exported file: float32, and 8 for the count of a normalization. */
  readonly weightBytes: number;
}

export interface OutputShape {
  /** Height and width. */
  readonly size: number;
  readonly channels: number;
}

/** Cost of the layers of a base at one image size. Sums are over all layers before a position; live values are per layer. */
interface Profile {
  readonly graph: LayerGraph;
  readonly shapes: readonly ImageShape[];
  readonly operationSums: Float64Array;
  readonly valueSums: Float64Array;
  readonly weightSums: Float64Array;
  readonly byteSums: Float64Array;
  readonly liveValues: Float64Array;
}

const FLOAT_BYTES = 4;
/** Keras keeps the number of images that a normalization has seen as an int64. */
const COUNT_BYTES = 8;

/** Order, names and weights are the same for every size. */
const GRAPH_SIZE = 224;
/** Profiles that are kept: a plan asks for each pair of backbone and size many times. One takes up to 14 ms to make, and 15 to 100 kB. */
const MAX_KEPT_PROFILES = 512;
const kept = new Map<string, Profile>();

/**
 * Returns what an image of `imageSize` pixels costs in some layers, summed layer by layer.
 *
 * @throws {BackboneError} for an unknown backbone or layer
 */
export function costOfLayers(backbone: string, imageSize: number, { from, to }: BaseRange): BaseCost {
  const { graph, operationSums, valueSums, weightSums, byteSums, liveValues } = profileOf(backbone, imageSize);
  const first = from === null ? 0 : layerIndex(graph, from) + 1;
  const end = Math.max(first, layerIndex(graph, to) + 1);
  const between = (sums: Float64Array): number => (sums[end] ?? 0) - (sums[first] ?? 0);
  return {
    gflop: between(operationSums) / 1e9,
    valueCount: between(valueSums),
    liveValueCount: liveValues.subarray(first, end).reduce((most, count) => Math.max(most, count), 0),
    weightCount: between(weightSums),
    weightBytes: between(byteSums),
  };
}

/** Returns the shape of a layer's output; null: of the last layer. */
export function outputShapeAt(backbone: string, imageSize: number, layer: string | null): OutputShape {
  const { graph, shapes } = profileOf(backbone, imageSize);
  const [size, , channels] = shapes[layerIndex(graph, layer)] as ImageShape;
  return { size, channels };
}

function profileOf(backbone: string, imageSize: number): Profile {
  const key = `${backbone} ${imageSize}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  const profile = makeProfile(backbone, imageSize);
  const [oldest] = kept.keys();
  if (kept.size >= MAX_KEPT_PROFILES && oldest !== undefined) kept.delete(oldest);
  kept.set(key, profile);
  return profile;
}

/** Layers that Keras adds for published weights are included: a cut may name them, and they cost next to nothing. */
function makeProfile(backbone: string, imageSize: number): Profile {
  const graph = backboneGraph(backbone, GRAPH_SIZE, true);
  const { layers, publishedLayers = layers } = backboneDefinition(backbone);
  const image: ImageShape = [imageSize, imageSize, 3];
  const shapes: ImageShape[] = [];
  const count = graph.layers.length;
  const operationSums = new Float64Array(count + 1);
  const valueSums = new Float64Array(count + 1);
  const weightSums = new Float64Array(count + 1);
  const byteSums = new Float64Array(count + 1);
  const bySize = new Map(publishedLayers(imageSize).map((layer) => [layer.name, layer]));
  for (const [index, { name }] of graph.layers.entries()) {
    const layer = bySize.get(name) as Layer;
    const inputs = (graph.inputsOf[index] ?? []).map((input) => shapes[input] ?? image);
    const shape = outputShapeOf(layer, inputs);
    shapes.push(shape);
    add(operationSums, index, 2 * shape[0] * shape[1] * productsPerPixel(layer, inputs[0]?.[2] ?? 0));
    add(valueSums, index, valueCountOf(shape));
    const weights = graph.weights[index] ?? [];
    add(weightSums, index, sum(weights.map((weight) => valueCountOf(weight.shape))));
    add(byteSums, index, sum(weights.map((weight) => valueCountOf(weight.shape) * bytesOf(weight))));
  }
  return {
    graph,
    shapes,
    operationSums,
    valueSums,
    weightSums,
    byteSums,
    liveValues: liveValues(graph, shapes, image),
  };
}

function add(sums: Float64Array, index: number, amount: number): void {
  sums[index + 1] = (sums[index] ?? 0) + amount;
}

function bytesOf({ role }: WeightSpec): number {
  return role === 'count' ? COUNT_BYTES : FLOAT_BYTES;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** Returns the multiply-adds per pixel of the output. Only convolutions have some; other layers cost by their values. */
function productsPerPixel(layer: Layer, inputChannels: number): number {
  switch (layer.kind) {
    case 'conv':
      return layer.kernelSize ** 2 * inputChannels * layer.filters;
    case 'depthwise':
      return layer.kernelSize ** 2 * inputChannels;
    case 'separable':
      return inputChannels * (layer.kernelSize ** 2 + layer.filters);
    default:
      return 0;
  }
}
