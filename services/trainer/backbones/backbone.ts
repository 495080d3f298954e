import { BackboneError } from '../../core/network/backbone-error.ts';
import type { LayerInfo } from '../../core/network/layer-graph.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';

/** One tensor of a weight file or of a parameter set; values in row-major order. */
export interface WeightTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface ForwardRange {
  /** The input is this layer's output; null or absent: 0..255 RGB images, preprocessing included. */
  readonly from?: string | null;
  /** Layer whose output is returned; null or absent: the last one. */
  readonly to?: string | null;
}

/**
 * A base for one image size, without its weights. Names, order and shapes of the layers are those of `keras.applications`,
 * without the input layer.
 */
export interface BackboneShape {
  readonly name: string;
  /** Height and width in pixels. */
  readonly inputSize: number;
  /** SHA-256 of the weight file (or of the formula of random weights), hexadecimal. */
  readonly weightsDigest: string;
  readonly layers: readonly LayerInfo[];
  /** [height, width, channels] of a layer's output for one image; null: the last layer. */
  outputShape(layer: string | null): readonly [number, number, number];
  /** Frees the tensors, if there are any. */
  dispose(): void;
}

/** A pretrained convolutional base with its weights and the preprocessing that belongs to them. */
export interface Backbone extends BackboneShape {
  /**
   * Inference of the frozen layers after `from` up to and including `to`, with BatchNormalization folded into the
   * convolutions; not on the gradient tape. Both ends must be splittable layers.
   *
   * @param input [n, height, width, channels] float32.
   */
  forward(input: Tensor4D, range?: ForwardRange): Tensor4D;
  /**
   * The part of the base that is trained when `from` and everything above it (up to `to`, null: the last layer) are
   * unfrozen. It is split off at the last splittable layer below `from`; what lies between stays frozen.
   */
  createTop(from: string, to: string | null): BackboneTop;
}

/**
 * Narrows a base to one that can compute.
 *
 * @throws {BackboneError} when the base was opened without its weights
 */
export function requireWeights(base: BackboneShape | Backbone): Backbone {
  if ('forward' in base) return base;
  throw new BackboneError(`${base.name} was opened without its weights, for stored features only.`, {
    backbone: base.name,
  });
}

export interface TopParameter {
  /** `<layer>/kernel` or `<layer>/bias`, as in the weight file. Never of a BatchNormalization layer. */
  readonly name: string;
  readonly shape: readonly number[];
  /** The pretrained values (not to be written to). */
  readonly values: Float32Array;
}

/** The upper part of a base, whose parameters are the caller's (several runs may train one top each on its own). */
export interface BackboneTop {
  /** The input is the output of this layer: `forward(images, { to: splitAfter })`; null: 0..255 images. */
  readonly splitAfter: string | null;
  readonly parameters: readonly TopParameter[];
  /**
   * Differentiable by `tf.grads` or `tf.variableGrads` in the parameters. BatchNormalization runs in inference mode with
   * its frozen statistics.
   *
   * @param parameters tensors or variables in the order of `this.parameters`.
   */
  forward(input: Tensor4D, parameters: readonly Tensor[]): Tensor4D;
  dispose(): void;
}
