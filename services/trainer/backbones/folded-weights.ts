import { BackboneError } from '../../core/network/backbone-error.ts';
import type { WeightTensor } from './backbone.ts';
import type { ConvolutionUnit } from './fused-layers.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import { kernelName } from '../../core/network/layer.ts';
import type { BatchNormLayer, NormalizationLayer, RescalingLayer } from '../../core/network/layer.ts';

/**
 * A kernel and an offset per output channel that are equivalent to a convolution and its BatchNormalization (inference
 * mode).
 */
export interface FoldedWeights {
  readonly shape: readonly number[];
  readonly kernel: Float32Array;
  /** null: no bias and no normalisation. */
  readonly offset: Float32Array | null;
}

/** `keras.config.epsilon()`. */
const KERAS_EPSILON = 1e-7;

export type Weights = ReadonlyMap<string, WeightTensor>;

/** Coefficients in double precision, so that folded values are rounded once. Per channel: y = x · scale + offset. */
export interface NormCoefficients {
  readonly scale: Float64Array;
  readonly offset: Float64Array;
}

/** Returns the coefficients of any layer that scales and shifts each channel. */
export function channelCoefficients(
  graph: LayerGraph,
  weights: Weights,
  layer: BatchNormLayer | NormalizationLayer | RescalingLayer,
): NormCoefficients {
  switch (layer.kind) {
    case 'batch-norm':
      return normCoefficients(graph, weights, layer.name);
    case 'rescaling':
      return { scale: Float64Array.from(layer.scale), offset: new Float64Array(layer.scale.length) };
    case 'normalization': {
      const mean = Float64Array.from(layer.statistics?.mean ?? valuesOf(graph, weights, `${layer.name}/mean`));
      const variance = layer.statistics?.variance ?? valuesOf(graph, weights, `${layer.name}/variance`);
      // Keras: (x − mean) / max(√variance, epsilon) with the backend's epsilon.
      const scale = Float64Array.from(variance, (value) => 1 / Math.max(Math.sqrt(value), KERAS_EPSILON));
      return { scale, offset: mean.map((value, channel) => -value * (scale[channel] ?? 0)) };
    }
  }
}

/** Keras: gamma · (x − mean) / √(variance + epsilon) + beta. */
export function normCoefficients(graph: LayerGraph, weights: Weights, norm: string): NormCoefficients {
  const layer = graph.layers[graph.indexOf.get(norm) ?? -1] as BatchNormLayer;
  const gamma = valuesOf(graph, weights, `${norm}/gamma`);
  const beta = valuesOf(graph, weights, `${norm}/beta`);
  const mean = valuesOf(graph, weights, `${norm}/moving_mean`);
  const variance = valuesOf(graph, weights, `${norm}/moving_variance`);
  const scale = new Float64Array(gamma.length);
  const offset = new Float64Array(gamma.length);
  for (let channel = 0; channel < gamma.length; channel++) {
    const factor = (gamma[channel] ?? 0) / Math.sqrt((variance[channel] ?? 0) + layer.epsilon);
    scale[channel] = factor;
    offset[channel] = (beta[channel] ?? 0) - (mean[channel] ?? 0) * factor;
  }
  return { scale, offset };
}

/** Folds the unit's frozen weights. */
export function foldWeights(graph: LayerGraph, weights: Weights, unit: ConvolutionUnit): FoldedWeights {
  const kernel = weightOf(graph, weights, kernelName(unit.layer));
  const bias = biasOf(graph, weights, unit);
  if (unit.norm === null) return { shape: kernel.shape, kernel: kernel.values, offset: bias };
  const { scale, offset } = normCoefficients(graph, weights, unit.norm);
  const channelCount = scale.length;
  const folded = new Float32Array(kernel.values.length);
  // The output channel varies fastest in [h, w, in, out] as in [h, w, channels, 1].
  for (let index = 0; index < folded.length; index++) {
    folded[index] = (kernel.values[index] ?? 0) * (scale[index % channelCount] ?? 0);
  }
  const foldedOffset = bias === null ? Float32Array.from(offset) : foldBias(bias, { scale, offset });
  return { shape: kernel.shape, kernel: folded, offset: foldedOffset };
}

function foldBias(bias: Float32Array, { scale, offset }: NormCoefficients): Float32Array {
  return bias.map((value, channel) => value * (scale[channel] ?? 0) + (offset[channel] ?? 0));
}

function biasOf(graph: LayerGraph, weights: Weights, unit: ConvolutionUnit): Float32Array | null {
  const usesBias = unit.layer.kind === 'conv' && unit.layer.useBias;
  return usesBias ? valuesOf(graph, weights, `${unit.layer.name}/bias`) : null;
}

function valuesOf(graph: LayerGraph, weights: Weights, name: string): Float32Array {
  return weightOf(graph, weights, name).values;
}

export function weightOf(graph: LayerGraph, weights: Weights, name: string): WeightTensor {
  const weight = weights.get(name);
  if (weight === undefined) {
    const layer = name.slice(0, name.lastIndexOf('/'));
    throw new BackboneError(`The weights of ${graph.backbone} lack "${name}".`, { backbone: graph.backbone, layer });
  }
  return weight;
}
