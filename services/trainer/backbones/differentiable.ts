import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';
import { executeOp, typeAttribute } from '../engine/op.ts';
import type { OpAttribute } from '../engine/op.ts';
import type { Activation } from './fused-layers.ts';

let floatType: readonly OpAttribute[] | null = null;

/**
 * Adds a bias per channel and applies the activation, with TensorFlow's own gradient ops. tfjs' relu6 gradient takes five
 * passes over the activation and its sum over a broadcast bias three; these take one each.
 *
 * @param bias [channels]; gets a gradient.
 */
export function addBiasAndActivate(input: Tensor4D, bias: Tensor, activation: Activation): Tensor4D {
  return tf.customGrad((x, b, save) => {
    const value = activate(biasAdd(x as Tensor, b as Tensor), activation);
    (save as (tensors: Tensor[]) => void)([value]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const dx = activationGradient(dy, saved[0] as Tensor, activation);
      return [dx, executeOp('BiasAddGrad', attributes(), [dx])];
    };
    return { value, gradFunc };
  })(input, bias) as Tensor4D;
}

/** As `addBiasAndActivate` for an offset that is never trained (null: none). */
export function addConstantAndActivate(input: Tensor4D, offset: Tensor | null, activation: Activation): Tensor4D {
  if (offset === null && activation === 'linear') return input;
  return tf.customGrad((x, save) => {
    const value = activate(offset === null ? (x as Tensor) : biasAdd(x as Tensor, offset), activation);
    (save as (tensors: Tensor[]) => void)([value]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor => activationGradient(dy, saved[0] as Tensor, activation);
    return { value, gradFunc };
  })(input) as Tensor4D;
}

function biasAdd(input: Tensor, bias: Tensor): Tensor {
  return executeOp('BiasAdd', attributes(), [input, bias]);
}

function activate(input: Tensor, activation: Activation): Tensor {
  if (activation === 'linear') return input;
  const output = executeOp(activation === 'relu' ? 'Relu' : 'Relu6', attributes(), [input]);
  return output;
}

/** Both gradient ops take the output in place of the input, since they only compare it with 0 and 6. */
function activationGradient(dy: Tensor, output: Tensor, activation: Activation): Tensor {
  // A tensor of its own: tfjs frees a sum's parts.
  if (activation === 'linear') return dy.clone();
  return executeOp(activation === 'relu' ? 'ReluGrad' : 'Relu6Grad', attributes(), [dy, output]);
}

function attributes(): readonly OpAttribute[] {
  floatType ??= [typeAttribute('T', 'float32')];
  return floatType;
}
