import type { Tensor } from '../engine/engine.ts';
import { executeOp, typeAttribute } from '../engine/op.ts';
import type { OpAttribute } from '../engine/op.ts';
import type { Activation } from '../../core/network/layer.ts';

let floatType: readonly OpAttribute[] | null = null;

/** Off the gradient tape. Returns `input` itself for "linear", else a new tensor; frees only what it made in between. */
export function applyActivation(input: Tensor, activation: Activation): Tensor {
  switch (activation) {
    case 'linear':
      return input;
    case 'relu':
      return executeOp('Relu', float32(), [input]);
    case 'relu6':
      return executeOp('Relu6', float32(), [input]);
    case 'sigmoid':
      return executeOp('Sigmoid', float32(), [input]);
    case 'swish': {
      const sigmoid = executeOp('Sigmoid', float32(), [input]);
      const output = executeOp('Mul', float32(), [input, sigmoid]);
      sigmoid.dispose();
      return output;
    }
  }
}

/** What `activationGradient` wants to be kept of the forward pass: the input for swish, else the output. */
export function keptForGradient(input: Tensor, output: Tensor, activation: Activation): Tensor {
  return activation === 'swish' ? input : output;
}

/** The gradient in the input, off the tape. TensorFlow's ReLU gradients only compare with 0 and 6: the output serves as well. */
export function activationGradient(dy: Tensor, kept: Tensor, activation: Activation): Tensor {
  switch (activation) {
    case 'linear':
      // A tensor of its own: tfjs frees a sum's parts.
      return dy.clone();
    case 'relu':
      return executeOp('ReluGrad', float32(), [dy, kept]);
    case 'relu6':
      return executeOp('Relu6Grad', float32(), [dy, kept]);
    case 'sigmoid':
      return executeOp('SigmoidGrad', float32(), [kept, dy]);
    case 'swish': {
      // (x · s)' = s + x · s', and SigmoidGrad(s, g) = g · s · (1 − s).
      const sigmoid = executeOp('Sigmoid', float32(), [kept]);
      const direct = executeOp('Mul', float32(), [dy, sigmoid]);
      const scaled = executeOp('Mul', float32(), [dy, kept]);
      const through = executeOp('SigmoidGrad', float32(), [sigmoid, scaled]);
      const dx = executeOp('AddV2', float32(), [direct, through]);
      for (const part of [sigmoid, direct, scaled, through]) part.dispose();
      return dx;
    }
  }
}

function float32(): readonly OpAttribute[] {
  floatType ??= [typeAttribute('T', 'float32')];
  return floatType;
}
