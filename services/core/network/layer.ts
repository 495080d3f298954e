export type Padding = 'same' | 'valid';

export type Activation = 'linear' | 'relu' | 'relu6' | 'swish' | 'sigmoid';

/**
 * Initializer of a kernel if a base starts without weights. `fan-out-normal` is EfficientNet's `VarianceScaling(2,
 * "fan_out")`.
 */
export type KernelInitializer = 'glorot-uniform' | 'fan-out-normal';

interface LayerBase {
  readonly name: string;
  readonly block: string;
  /** Names of earlier layers; empty: the preprocessed image. */
  readonly inputs: readonly string[];
}

export interface ConvLayer extends LayerBase {
  readonly kind: 'conv';
  readonly kernelSize: number;
  readonly stride: number;
  readonly filters: number;
  readonly padding: Padding;
  readonly useBias: boolean;
  /** Keras' `activation` argument of the layer itself (VGG, squeeze-and-excitation). */
  readonly activation: Activation;
  readonly initializer?: KernelInitializer;
}

export interface DepthwiseLayer extends LayerBase {
  readonly kind: 'depthwise';
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: Padding;
  readonly initializer?: KernelInitializer;
}

/** Keras' `SeparableConv2D` with stride 1, "same" padding and no bias: a depthwise and a 1×1 convolution. */
export interface SeparableLayer extends LayerBase {
  readonly kind: 'separable';
  readonly kernelSize: number;
  readonly filters: number;
}

export interface BatchNormLayer extends LayerBase {
  readonly kind: 'batch-norm';
  readonly epsilon: number;
}

export interface ActivationLayer extends LayerBase {
  readonly kind: 'activation';
  readonly activation: Activation;
}

interface ZeroPadLayer extends LayerBase {
  readonly kind: 'zero-pad';
  /** Rows above and rows below (columns likewise: images are square). */
  readonly padding: readonly [number, number];
}

export interface MaxPoolLayer extends LayerBase {
  readonly kind: 'max-pool';
  readonly poolSize: number;
  readonly stride: number;
  readonly padding: Padding;
}

/** "valid" padding. */
export interface AveragePoolLayer extends LayerBase {
  readonly kind: 'average-pool';
  readonly poolSize: number;
  readonly stride: number;
}

/** The mean over rows and columns. Its output counts as an image of one pixel here; Keras' has the channels only. */
interface GlobalAverageLayer extends LayerBase {
  readonly kind: 'global-average';
}

interface AddLayer extends LayerBase {
  readonly kind: 'add';
}

/** The second input may be an image of one pixel: a factor per channel. */
interface MultiplyLayer extends LayerBase {
  readonly kind: 'multiply';
}

/** Concatenates along the channels. */
interface ConcatLayer extends LayerBase {
  readonly kind: 'concat';
}

/** Keras' `Rescaling` without offset: a factor per channel. */
export interface RescalingLayer extends LayerBase {
  readonly kind: 'rescaling';
  readonly scale: readonly number[];
}

/** Keras' `Normalization`. null: mean and variance are in the weight file. */
export interface NormalizationLayer extends LayerBase {
  readonly kind: 'normalization';
  readonly statistics: { readonly mean: readonly number[]; readonly variance: readonly number[] } | null;
}

/** A layer without effect in inference: `Dropout`, and `Reshape` to an image of one pixel. */
interface IdentityLayer extends LayerBase {
  readonly kind: 'identity';
}

/** One layer of a base, as Keras defines it. */
export type Layer =
  | ConvLayer
  | DepthwiseLayer
  | SeparableLayer
  | BatchNormLayer
  | ActivationLayer
  | ZeroPadLayer
  | MaxPoolLayer
  | AveragePoolLayer
  | GlobalAverageLayer
  | AddLayer
  | MultiplyLayer
  | ConcatLayer
  | RescalingLayer
  | NormalizationLayer
  | IdentityLayer;

/** A layer whose arithmetic is a convolution, and which a following normalisation can be folded into. */
export type ConvolutionLayer = ConvLayer | DepthwiseLayer | SeparableLayer;

export function isConvolution(layer: Layer): layer is ConvolutionLayer {
  return layer.kind === 'conv' || layer.kind === 'depthwise' || layer.kind === 'separable';
}

/**
 * Returns the name of the weight into which a following normalisation is folded. Its last axis is the output channel,
 * except for depthwise.
 */
export function kernelName(layer: ConvolutionLayer): string {
  return `${layer.name}/${layer.kind === 'separable' ? 'pointwise_kernel' : 'kernel'}`;
}
