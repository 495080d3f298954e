import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';
import { executeOp, typeAttribute } from '../engine/op.ts';
import type { OpAttribute } from '../engine/op.ts';
import { activationGradient, applyActivation, keptForGradient } from './activation-ops.ts';
import type { Activation } from '../../core/network/layer.ts';

let floatType: readonly OpAttribute[] | null = null;

/**
 * Adds a bias per channel and applies the activation, with TensorFlow's own gradient ops. tfjs' relu6 gradient takes five
 * passes over the activation and its sum over a broadcast bias three; these take one each.
 *
 * @param bias [channels]; gets a gradient.
 */
export function addBiasAndActivate(input: Tensor4D, bias: Tensor, activation: Activation): Tensor4D {
  return tf.customGrad((x, b, save) => {
    const sum = biasAdd(x as Tensor, b as Tensor);
    const value = applyActivation(sum, activation);
    (save as (tensors: Tensor[]) => void)([keptForGradient(sum, value, activation)]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const dx = activationGradient(dy, saved[0] as Tensor, activation);
      return [dx, executeOp('BiasAddGrad', attributes(), [dx])];
    };
    return { value, gradFunc };
  })(input, bias) as Tensor4D;
}

/** Adds an offset that is never trained (null: none) and applies the activation, like `addBiasAndActivate`. */
export function addConstantAndActivate(input: Tensor4D, offset: Tensor | null, activation: Activation): Tensor4D {
  if (offset === null && activation === 'linear') return input;
  return tf.customGrad((x, save) => {
    const sum = offset === null ? (x as Tensor) : biasAdd(x as Tensor, offset);
    const value = applyActivation(sum, activation);
    (save as (tensors: Tensor[]) => void)([keptForGradient(sum, value, activation)]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor => activationGradient(dy, saved[0] as Tensor, activation);
    return { value, gradFunc };
  })(input) as Tensor4D;
}

function biasAdd(input: Tensor, bias: Tensor): Tensor {
  return executeOp('BiasAdd', attributes(), [input, bias]);
}

function attributes(): readonly OpAttribute[] {
  floatType ??= [typeAttribute('T', 'float32')];
  return floatType;
}
