import type { HeadConfig } from '../../core/run-config.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor } from '../engine/engine.ts';
import { executeOp, typeAttribute } from '../engine/op.ts';

const T = [typeAttribute('T', 'float32')];

type ActivationName = HeadConfig['activation'];

/** Applies Keras' activation of that name (`gelu` is the exact variant with erf; `swish` is x·sigmoid(x)). */
export function activate(name: ActivationName, x: Tensor): Tensor {
  switch (name) {
    case 'linear':
      return x;
    case 'relu':
      return executeOp('Relu', T, [x]);
    case 'tanh':
      return executeOp('Tanh', T, [x]);
    case 'gelu':
      return multiply(x, normalDistribution(x));
    case 'swish':
      return multiply(x, executeOp('Sigmoid', T, [x]));
  }
}

/**
 * Returns the gradient with respect to the activation's input.
 *
 * @param x input of the activation.
 * @param y output of the activation.
 * @param dy gradient with respect to the output.
 */
export function activationGradient(name: ActivationName, x: Tensor, y: Tensor, dy: Tensor): Tensor {
  switch (name) {
    case 'linear':
      return dy;
    case 'relu':
      return executeOp('ReluGrad', T, [dy, x]);
    case 'tanh':
      return executeOp('TanhGrad', T, [y, dy]);
    case 'gelu':
      return multiply(dy, add(normalDistribution(x), multiply(x, normalDensity(x))));
    case 'swish': {
      const sigmoid = executeOp('Sigmoid', T, [x]);
      // d(x·s)/dx = s + x·s·(1 − s) = s + y·(1 − s)
      const rest = executeOp('Sub', T, [tf.scalar(1), sigmoid]);
      return multiply(dy, add(sigmoid, multiply(y, rest)));
    }
  }
}

function normalDistribution(x: Tensor): Tensor {
  const erf = executeOp('Erf', T, [multiply(x, tf.scalar(Math.SQRT1_2))]);
  return multiply(add(erf, tf.scalar(1)), tf.scalar(0.5));
}

function normalDensity(x: Tensor): Tensor {
  const exponent = multiply(executeOp('Square', T, [x]), tf.scalar(-0.5));
  return multiply(executeOp('Exp', T, [exponent]), tf.scalar(1 / Math.sqrt(2 * Math.PI)));
}

function multiply(a: Tensor, b: Tensor): Tensor {
  return executeOp('Mul', T, [a, b]);
}

function add(a: Tensor, b: Tensor): Tensor {
  return executeOp('AddV2', T, [a, b]);
}
