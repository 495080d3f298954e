import type { KernelInitializer, Layer, Padding } from './layer.ts';

/** [height, width, channels] of one image. */
export type ImageShape = readonly [number, number, number];

/** Returns the number of values of a tensor. */
export function valueCountOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

type WeightRole =
  | 'kernel'
  | 'depthwise_kernel'
  | 'pointwise_kernel'
  | 'bias'
  | 'gamma'
  | 'beta'
  | 'moving_mean'
  | 'moving_variance'
  | 'mean'
  | 'variance'
  | 'count';

/** A tensor that a layer reads from the weight file. */
export interface WeightSpec {
  /** `<layer>/<role>`. */
  readonly name: string;
  readonly role: WeightRole;
  readonly shape: readonly number[];
  readonly initializer: KernelInitializer;
}

/** Weights that fine-tuning trains; the others are statistics or belong to a normalisation. */
const TRAINED_ROLES: readonly WeightRole[] = ['kernel', 'depthwise_kernel', 'pointwise_kernel', 'bias'];

export function isTrained({ role }: WeightSpec): boolean {
  return TRAINED_ROLES.includes(role);
}

/** @param inputs shapes of the layer's inputs, at least one. */
export function outputShapeOf(layer: Layer, inputs: readonly ImageShape[]): ImageShape {
  const [height, width, channels] = inputs[0] as ImageShape;
  switch (layer.kind) {
    case 'conv': {
      const size = windowedSize(height, layer.kernelSize, layer.stride, layer.padding);
      return [size, size, layer.filters];
    }
    case 'depthwise': {
      const size = windowedSize(height, layer.kernelSize, layer.stride, layer.padding);
      return [size, size, channels];
    }
    case 'separable':
      return [height, width, layer.filters];
    case 'max-pool': {
      const size = windowedSize(height, layer.poolSize, layer.stride, layer.padding);
      return [size, size, channels];
    }
    case 'average-pool': {
      const size = windowedSize(height, layer.poolSize, layer.stride, 'valid');
      return [size, size, channels];
    }
    case 'zero-pad': {
      const size = height + layer.padding[0] + layer.padding[1];
      return [size, size, channels];
    }
    case 'global-average':
      return [1, 1, channels];
    case 'concat':
      return [height, width, inputs.reduce((sum, shape) => sum + shape[2], 0)];
    case 'batch-norm':
    case 'activation':
    case 'add':
    case 'multiply':
    case 'rescaling':
    case 'normalization':
    case 'identity':
      return [height, width, channels];
  }
}

function windowedSize(size: number, window: number, stride: number, padding: Padding): number {
  return padding === 'same' ? Math.ceil(size / stride) : Math.floor((size - window) / stride) + 1;
}

/** Returns the weights of a layer in Keras' order. */
export function weightSpecsOf(layer: Layer, inputChannels: number): readonly WeightSpec[] {
  switch (layer.kind) {
    case 'conv': {
      const kernelShape = [layer.kernelSize, layer.kernelSize, inputChannels, layer.filters];
      const kernel = weightSpec(layer, 'kernel', kernelShape);
      return layer.useBias ? [kernel, weightSpec(layer, 'bias', [layer.filters])] : [kernel];
    }
    case 'depthwise':
      return [weightSpec(layer, 'kernel', [layer.kernelSize, layer.kernelSize, inputChannels, 1])];
    case 'separable':
      return [
        weightSpec(layer, 'depthwise_kernel', [layer.kernelSize, layer.kernelSize, inputChannels, 1]),
        weightSpec(layer, 'pointwise_kernel', [1, 1, inputChannels, layer.filters]),
      ];
    case 'batch-norm':
      return (['gamma', 'beta', 'moving_mean', 'moving_variance'] as const).map((role) =>
        weightSpec(layer, role, [inputChannels]),
      );
    case 'normalization': {
      if (layer.statistics !== null) return [];
      const statistics = (['mean', 'variance'] as const).map((role) => weightSpec(layer, role, [inputChannels]));
      return [...statistics, weightSpec(layer, 'count', [])];
    }
    default:
      return [];
  }
}

function weightSpec(layer: Layer, role: WeightRole, shape: readonly number[]): WeightSpec {
  const initializer = ('initializer' in layer ? layer.initializer : undefined) ?? 'glorot-uniform';
  return { name: `${layer.name}/${role}`, role, shape, initializer };
}
