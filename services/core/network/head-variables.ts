import type { HeadConfig, OptimizerConfig } from '../run-config.ts';
import type { OutputShape } from './base-cost.ts';

/** A dense layer of a head: kernel [inputs, outputs] and bias [outputs]. */
export interface DenseShape {
  /** Its tensors are `<name>/kernel` and `<name>/bias`. */
  readonly name: string;
  readonly inputCount: number;
  readonly outputCount: number;
}

/** Keras: one sigmoid unit for two classes, a softmax otherwise. */
export function outputCountOf(classCount: number): number {
  return classCount === 2 ? 1 : classCount;
}

/**
 * A head's dense layers, from the features up.
 *
 * @param featureCount length of one image's features after pooling or flattening
 */
export function denseShapes(config: HeadConfig, featureCount: number, classCount: number): readonly DenseShape[] {
  const hiddenCount = config.units === 0 ? 0 : config.layers;
  const hidden = Array.from({ length: hiddenCount }, (_, index) => ({
    name: `head/dense_${index + 1}`,
    inputCount: index === 0 ? featureCount : config.units,
    outputCount: config.units,
  }));
  const inputCount = hiddenCount === 0 ? featureCount : config.units;
  return [...hidden, { name: 'head/output', inputCount, outputCount: outputCountOf(classCount) }];
}

/** Returns the number of inputs of a head on outputs of this shape. */
export function headInputCount({ pooling }: HeadConfig, { size, channels }: OutputShape): number {
  return pooling === 'flatten' ? size * size * channels : channels;
}

/** Returns the number of weights and biases of a head. */
export function headWeightCount(head: HeadConfig, inputCount: number, classCount: number): number {
  return denseShapes(head, inputCount, classCount).reduce(
    (sum, layer) => sum + (layer.inputCount + 1) * layer.outputCount,
    0,
  );
}

/** Slot of the gradients since the last update, Keras' name. */
export const ACCUMULATOR_SLOT = 'gradient_accumulator';
/** Slot of the weights' moving average, Keras' name. */
export const AVERAGE_SLOT = 'average';

/** Values that an optimizer keeps for each value it trains: names of the slots, as in checkpoints. */
export function slotNamesOf(optimizer: OptimizerConfig): readonly string[] {
  return [...ruleSlotsOf(optimizer), ...extraSlotsOf(optimizer)];
}

/** Slots of accumulated gradients and averages of the weights, which any optimizer may have. */
export function extraSlotsOf(optimizer: OptimizerConfig): readonly string[] {
  return [
    ...(optimizer.gradientAccumulationSteps === undefined ? [] : [ACCUMULATOR_SLOT]),
    ...(optimizer.emaMomentum === undefined ? [] : [AVERAGE_SLOT]),
  ];
}

/** Returns the momentum of RMSprop and SGD, or Adam's beta 1. */
export function momentumOf(optimizer: OptimizerConfig): number {
  return optimizer.name === 'rmsprop' || optimizer.name === 'sgd' ? optimizer.momentum : optimizer.beta1;
}

/** Slots of the update rule, which are always the first. */
function ruleSlotsOf(optimizer: OptimizerConfig): readonly string[] {
  switch (optimizer.name) {
    case 'rmsprop':
      return [
        ...(optimizer.centered ? ['average_gradient'] : []),
        'velocity',
        ...(optimizer.momentum === 0 ? [] : ['momentum']),
      ];
    case 'adam':
    case 'adamw':
      return ['momentum', 'velocity'];
    case 'sgd':
      return optimizer.momentum === 0 ? [] : ['momentum'];
  }
}
