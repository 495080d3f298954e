import type { RunConfig } from '../run-config.ts';
import { backboneDefinition } from './backbones.ts';
import { costOfLayers, outputShapeAt } from './base-cost.ts';
import { denseShapes, headInputCount, headWeightCount } from './head-variables.ts';

/** Cost of using a trained model, which is known before training: its base up to the cut, and its head. */
export interface ModelCost {
  /**
   * Bytes of the tensors in an exported Keras file. The file itself is larger by the description of the layers: between 0.2 MB (VGG16)
   * and 3 MB (EfficientNetB7).
   */
  readonly modelBytes: number;
  /** Weights, statistics of batch normalizations included: Keras' `count_params()`. */
  readonly parameterCount: number;
  /** Operations of a forward pass of one image, 2 per multiply-add, of convolutions and dense layers. */
  readonly flops: number;
}

const FLOAT_BYTES = 4;
/** The export expresses this preprocessing as a convolution: a 1×1×3×3 kernel and 3 biases. */
const CAFFE_BYTES = 12 * FLOAT_BYTES;

/** @throws {BackboneError} for an unknown backbone or cut */
export function modelCost(
  { backbone: { name, cut }, imageSize, head }: Pick<RunConfig, 'backbone' | 'imageSize' | 'head'>,
  classCount: number,
): ModelCost {
  const base = costOfLayers(name, imageSize, { from: null, to: cut });
  const inputCount = headInputCount(head, outputShapeAt(name, imageSize, cut));
  const headWeights = headWeightCount(head, inputCount, classCount);
  const products = denseShapes(head, inputCount, classCount).reduce(
    (sum, layer) => sum + layer.inputCount * layer.outputCount,
    0,
  );
  const preprocessingBytes = backboneDefinition(name).preprocessing === 'caffe' ? CAFFE_BYTES : 0;
  return {
    modelBytes: preprocessingBytes + base.weightBytes + headWeights * FLOAT_BYTES,
    parameterCount: base.weightCount + headWeights,
    flops: Math.round(base.gflop * 1e9) + 2 * products,
  };
}
