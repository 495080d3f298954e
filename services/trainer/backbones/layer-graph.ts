import type { LayerInfo } from '../../core/task.ts';
import { BackboneError } from './backbone.ts';

export type Padding = 'same' | 'valid';

interface LayerBase {
  readonly name: string;
  readonly block: string;
  /** Names of earlier layers; none: the preprocessed image. */
  readonly inputs: readonly string[];
}

export interface ConvLayer extends LayerBase {
  readonly kind: 'conv';
  readonly kernelSize: number;
  readonly stride: number;
  readonly filters: number;
  readonly padding: Padding;
  readonly useBias: boolean;
  /** Keras' `activation` argument of the layer itself (VGG). */
  readonly activation: 'linear' | 'relu';
}

export interface DepthwiseLayer extends LayerBase {
  readonly kind: 'depthwise';
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: Padding;
}

export interface BatchNormLayer extends LayerBase {
  readonly kind: 'batch-norm';
  readonly epsilon: number;
}

export interface ActivationLayer extends LayerBase {
  readonly kind: 'activation';
  readonly activation: 'relu' | 'relu6';
}

export interface ZeroPadLayer extends LayerBase {
  readonly kind: 'zero-pad';
  /** Rows above, rows below (columns alike: images are square). */
  readonly padding: readonly [number, number];
}

export interface MaxPoolLayer extends LayerBase {
  readonly kind: 'max-pool';
  readonly poolSize: number;
  readonly stride: number;
}

export interface AddLayer extends LayerBase {
  readonly kind: 'add';
}

/** One layer of a base, as Keras defines it. */
export type Layer =
  ConvLayer | DepthwiseLayer | BatchNormLayer | ActivationLayer | ZeroPadLayer | MaxPoolLayer | AddLayer;

/** [height, width, channels] of one image. */
export type ImageShape = readonly [number, number, number];

/** A tensor that a layer takes from the weight file. */
export interface WeightSpec {
  /** `<layer>/<role>`. */
  readonly name: string;
  readonly role: WeightRole;
  readonly shape: readonly number[];
}

export type WeightRole = 'kernel' | 'bias' | 'gamma' | 'beta' | 'moving_mean' | 'moving_variance';

/** Layers in Keras' order with what follows from them: shapes, weights, split points. */
export interface LayerGraph {
  readonly backbone: string;
  readonly layers: readonly Layer[];
  readonly indexOf: ReadonlyMap<string, number>;
  /** Positions of each layer's inputs; -1: the preprocessed image. */
  readonly inputsOf: readonly (readonly number[])[];
  readonly shapes: readonly ImageShape[];
  /** In Keras' order within each layer. */
  readonly weights: readonly (readonly WeightSpec[])[];
  readonly infos: readonly LayerInfo[];
}

/** Works out what follows from the layers for images of one size. Errors: `BackboneError` when the image is too small. */
export function buildLayerGraph(backbone: string, layers: readonly Layer[], inputSize: number): LayerGraph {
  const indexOf = new Map(layers.map((layer, index) => [layer.name, index]));
  const inputsOf = layers.map((layer) =>
    layer.inputs.length === 0 ? [-1] : layer.inputs.map((input) => earlierLayer(backbone, indexOf, input)),
  );
  const shapes: ImageShape[] = [];
  const weights: WeightSpec[][] = [];
  for (const [index, layer] of layers.entries()) {
    const inputIndex = inputsOf[index]?.[0] ?? -1;
    const inputShape: ImageShape = shapes[inputIndex] ?? [inputSize, inputSize, 3];
    const shape = outputShapeOf(layer, inputShape);
    if (shape[0] < 1) {
      throw new BackboneError(
        `Images of ${inputSize} pixels are too small for ${backbone}: nothing is left of them at layer ${layer.name}. ` +
          'Use a larger image size or a lower cut.',
        { backbone, layer: layer.name },
      );
    }
    shapes.push(shape);
    weights.push(weightSpecsOf(layer, inputShape[2]));
  }
  return { backbone, layers, indexOf, inputsOf, shapes, weights, infos: layerInfos(layers, inputsOf) };
}

/** Position of a layer; null means the last one. Errors: `BackboneError` that lists near names. */
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

/** As `layerIndex`, for a layer whose output alone feeds all layers above. */
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

function earlierLayer(backbone: string, indexOf: ReadonlyMap<string, number>, name: string): number {
  const index = indexOf.get(name);
  if (index === undefined) throw new BackboneError(`${backbone}: unknown input layer "${name}".`, { backbone });
  return index;
}

function layerInfos(layers: readonly Layer[], inputsOf: readonly (readonly number[])[]): readonly LayerInfo[] {
  const infos: LayerInfo[] = [];
  // Earliest layer that anything above the current position reads.
  let lowestRead = Infinity;
  for (let index = layers.length - 1; index >= 0; index--) {
    const layer = layers[index];
    if (layer === undefined) continue;
    infos.unshift({ name: layer.name, block: layer.block, splittable: lowestRead >= index });
    lowestRead = Math.min(lowestRead, ...(inputsOf[index] ?? []));
  }
  return infos;
}

function outputShapeOf(layer: Layer, [height, width, channels]: ImageShape): ImageShape {
  switch (layer.kind) {
    case 'conv': {
      const size = convolvedSize(height, layer.kernelSize, layer.stride, layer.padding);
      return [size, size, layer.filters];
    }
    case 'depthwise': {
      const size = convolvedSize(height, layer.kernelSize, layer.stride, layer.padding);
      return [size, size, channels];
    }
    case 'max-pool': {
      const size = convolvedSize(height, layer.poolSize, layer.stride, 'valid');
      return [size, size, channels];
    }
    case 'zero-pad': {
      const size = height + layer.padding[0] + layer.padding[1];
      return [size, size, channels];
    }
    case 'batch-norm':
    case 'activation':
    case 'add':
      return [height, width, channels];
  }
}

function convolvedSize(size: number, window: number, stride: number, padding: Padding): number {
  return padding === 'same' ? Math.ceil(size / stride) : Math.floor((size - window) / stride) + 1;
}

function weightSpecsOf(layer: Layer, inputChannels: number): WeightSpec[] {
  switch (layer.kind) {
    case 'conv': {
      const kernelShape = [layer.kernelSize, layer.kernelSize, inputChannels, layer.filters];
      const kernel = weightSpec(layer, 'kernel', kernelShape);
      return layer.useBias ? [kernel, weightSpec(layer, 'bias', [layer.filters])] : [kernel];
    }
    case 'depthwise':
      return [weightSpec(layer, 'kernel', [layer.kernelSize, layer.kernelSize, inputChannels, 1])];
    case 'batch-norm':
      return (['gamma', 'beta', 'moving_mean', 'moving_variance'] as const).map((role) =>
        weightSpec(layer, role, [inputChannels]),
      );
    default:
      return [];
  }
}

function weightSpec(layer: Layer, role: WeightRole, shape: readonly number[]): WeightSpec {
  return { name: `${layer.name}/${role}`, role, shape };
}
