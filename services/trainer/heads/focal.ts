import { tf } from '../engine/engine.ts';
import type { Tensor } from '../engine/engine.ts';
import { logSumExp, sigmoidEntropy } from './entropy.ts';

/** Focal loss with Keras' defaults filled in. */
export interface Focal {
  readonly gamma: number;
  /** One output: weight of class 1, and 1 − alpha of class 0; null: no weights. More outputs: factor of the loss. */
  readonly alpha: number | null;
}

/**
 * Returns the focal loss of one image (Lin et al. 2017), as Keras 3 `BinaryFocalCrossentropy` for one logit and
 * `CategoricalFocalCrossentropy` for more. It is computed from logits in double precision and not clipped at 1e-7.
 *
 * @param targetOf target of an output: 0, 1 or smoothed.
 */
export function focalLoss(logits: Float32Array, targetOf: (output: number) => number, { gamma, alpha }: Focal): number {
  if (logits.length === 1) {
    const z = logits[0] ?? 0;
    const t = targetOf(0);
    const entropy = sigmoidEntropy(z, t);
    const miss = t / (1 + Math.exp(z)) + (1 - t) / (1 + Math.exp(-z));
    const weight = alpha === null ? 1 : t * alpha + (1 - t) * (1 - alpha);
    return weight * Math.pow(miss, gamma) * entropy;
  }
  const logSum = logSumExp(logits);
  return logits.reduce((loss, z, output) => {
    const target = targetOf(output);
    if (target === 0) return loss;
    const logProbability = z - logSum;
    return loss - (alpha ?? 1) * target * Math.pow(-Math.expm1(logProbability), gamma) * logProbability;
  }, 0);
}

/**
 * Returns the gradient of each image's focal loss with respect to its logits, [n, outputs]. `native/focal.h` has the same formulas.
 *
 * @param targets [n, outputs]
 */
export function focalGradient(logits: Tensor, targets: Tensor, focal: Focal): Tensor {
  return tf.tidy(() =>
    logits.shape[1] === 1 ? sigmoidGradient(logits, targets, focal) : softmaxGradient(logits, targets, focal),
  );
}

function sigmoidGradient(z: Tensor, t: Tensor, { gamma, alpha }: Focal): Tensor {
  const p = tf.sigmoid(z);
  const q = tf.sigmoid(tf.neg(z));
  const others = tf.sub(1, t);
  const entropy = tf.add(tf.sub(tf.relu(z), tf.mul(z, t)), tf.log1p(tf.exp(tf.neg(tf.abs(z)))));
  const miss = tf.add(tf.mul(t, q), tf.mul(others, p));
  const slope = tf.divNoNan(tf.mul(tf.mul(p, q), entropy), miss);
  const change = tf.mul(tf.mul(tf.sub(1, tf.mul(t, 2)), slope), gamma);
  const gradient = tf.mul(tf.pow(miss, gamma), tf.add(change, tf.sub(p, t)));
  if (alpha === null) return gradient;
  return tf.mul(gradient, tf.add(tf.mul(t, alpha), tf.mul(others, 1 - alpha)));
}

function softmaxGradient(z: Tensor, t: Tensor, { gamma, alpha }: Focal): Tensor {
  const logP = tf.logSoftmax(z);
  const p = tf.exp(logP);
  const miss = tf.neg(tf.expm1(logP));
  const change = tf.mul(tf.mul(p, tf.divNoNan(logP, miss)), gamma);
  const ofLogarithm = tf.mul(tf.mul(tf.mul(t, tf.pow(miss, gamma)), tf.sub(change, 1)), alpha ?? 1);
  return tf.sub(ofLogarithm, tf.mul(p, tf.sum(ofLogarithm, 1, true)));
}
