/**
 * Returns the cross-entropy of one sigmoid output, as `tf.nn.sigmoid_cross_entropy_with_logits`.
 *
 * @param z logit
 * @param t target: 0, 1 or smoothed
 */
export function sigmoidEntropy(z: number, t: number): number {
  return Math.max(z, 0) - z * t + Math.log1p(Math.exp(-Math.abs(z)));
}

/** Returns the logarithm of the softmax's divisor; large logits do not overflow. */
export function logSumExp(logits: Float32Array): number {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  return largest + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - largest), 0));
}
