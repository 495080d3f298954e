import { BackboneError } from './backbone-error.ts';
import { kerasOrder } from './keras-order.ts';
import { isTrained, outputShapeOf, weightSpecsOf } from './layer-shapes.ts';
import type { ImageShape, WeightSpec } from './layer-shapes.ts';
import type { Layer } from './layer.ts';

/** One layer of a base, as cuts and unfreeze depths use it. */
export interface LayerInfo {
  /** Name of the layer in Keras. */
  readonly name: string;
  /** Block that contains it, for example `block5`. */
  readonly block: string;
  /** The base can be split after this layer: everything above depends on its output alone. */
  readonly splittable: boolean;
  /** No weight of this layer trains in fine-tuning. */
  readonly untrainable?: boolean;
}

/** Layers in Keras' order with their derived properties: shapes, weights, split points. */
export interface LayerGraph {
  readonly backbone: string;
  readonly layers: readonly Layer[];
  readonly indexOf: ReadonlyMap<string, number>;
  /** Positions of each layer's inputs; -1: the preprocessed image. */
  readonly inputsOf: readonly (readonly number[])[];
  readonly shapes: readonly ImageShape[];
  /** Weights in Keras' order within each layer. */
  readonly weights: readonly (readonly WeightSpec[])[];
  readonly infos: readonly LayerInfo[];
}

/**
 * Derives the graph of the layers for images of one size.
 *
 * @param layers each after its inputs, otherwise in any order.
 * @throws {BackboneError} when the image is too small.
 */
export function buildLayerGraph(backbone: string, layers: readonly Layer[], inputSize: number): LayerGraph {
  const ordered = kerasOrder(backbone, layers);
  const indexOf = new Map(ordered.map((layer, index) => [layer.name, index]));
  const inputsOf = ordered.map(({ inputs }) =>
    inputs.length === 0 ? [-1] : inputs.map((input) => indexOf.get(input) ?? -1),
  );
  const shapes: ImageShape[] = [];
  const weights: (readonly WeightSpec[])[] = [];
  for (const [index, layer] of ordered.entries()) {
    const inputShapes = (inputsOf[index] ?? []).map((input): ImageShape => shapes[input] ?? [inputSize, inputSize, 3]);
    const shape = outputShapeOf(layer, inputShapes);
    if (shape[0] < 1) {
      throw new BackboneError(
        `Images of ${inputSize} pixels are too small for ${backbone}: nothing is left of them at layer ${layer.name}. ` +
          'Use a larger image size or a lower cut.',
        { backbone, layer: layer.name },
      );
    }
    shapes.push(shape);
    weights.push(weightSpecsOf(layer, inputShapes[0]?.[2] ?? 0));
  }
  return {
    backbone,
    layers: ordered,
    indexOf,
    inputsOf,
    shapes,
    weights,
    infos: layerInfos(ordered, inputsOf, weights),
  };
}

/** Returns the position of a layer; null means the last one. Throws {BackboneError} that lists similar names. */
export function layerIndex(graph: LayerGraph, name: string | null): number {
  if (name === null) return graph.layers.length - 1;
  const index = graph.indexOf.get(name);
  if (index !== undefined) return index;
  const splittable = graph.infos.filter((info) => info.splittable).map((info) => info.name);
  throw new BackboneError(`${graph.backbone} has no layer "${name}". It can be cut after: ${splittable.join(', ')}.`, {
    backbone: graph.backbone,
    layer: name,
  });
}

/** Returns the position of a layer whose output alone feeds all layers above; throws as `layerIndex` does. */
export function splittableIndex(graph: LayerGraph, name: string | null): number {
  const index = layerIndex(graph, name);
  if (graph.infos[index]?.splittable !== true) {
    const next = graph.infos.slice(index).find((info) => info.splittable);
    throw new BackboneError(
      `${graph.backbone} can't be cut after "${name ?? ''}", which lies beside a shortcut. ` +
        `The next layer where it can is "${next?.name ?? ''}".`,
      { backbone: graph.backbone, layer: name ?? '' },
    );
  }
  return index;
}

function layerInfos(
  layers: readonly Layer[],
  inputsOf: readonly (readonly number[])[],
  weights: readonly (readonly WeightSpec[])[],
): readonly LayerInfo[] {
  const infos: LayerInfo[] = [];
  // Earliest layer that anything above the current position reads.
  let lowestRead = Infinity;
  for (let index = layers.length - 1; index >= 0; index--) {
    const layer = layers[index];
    if (layer === undefined) continue;
    const untrainable = (weights[index] ?? []).some(isTrained) ? {} : { untrainable: true };
    infos.unshift({ name: layer.name, block: layer.block, splittable: lowestRead >= index, ...untrainable });
    lowestRead = Math.min(lowestRead, ...(inputsOf[index] ?? []));
  }
  return infos;
}
