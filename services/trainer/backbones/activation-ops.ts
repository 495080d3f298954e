import type { Tensor } from '../engine/engine.ts';
import { executeOp, typeAttribute } from '../engine/op.ts';
import type { OpAttribute } from '../engine/op.ts';
import type { Activation } from '../../core/network/layer.ts';

let floatType: readonly OpAttribute[] | null = null;

/**
 * Applies an activation outside the gradient tape. Returns `input` itself for "linear", else a new tensor; disposes
 * only of intermediate tensors.
 */
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

/** Returns the tensor of the forward pass that `activationGradient` needs: the input for swish, else the output. */
export function keptForGradient(input: Tensor, output: Tensor, activation: Activation): Tensor {
  return activation === 'swish' ? input : output;
}

/**
 * Returns the gradient with respect to the input, outside the tape. TensorFlow's ReLU gradients only compare with 0 and
 * 6, so the output serves as well.
 */
export function activationGradient(dy: Tensor, kept: Tensor, activation: Activation): Tensor {
  switch (activation) {
    case 'linear':
      // A separate tensor: tfjs disposes of a sum's parts.
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
