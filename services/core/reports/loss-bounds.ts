/** Rounding of a probability that was computed in double precision from float32 logits. */
const ROUNDING = 1e-6;
/** Of a mean of losses, relative and absolute. */
const MEAN_ROUNDING = 1e-4;

/**
 * Ends of what the mean cross-entropy of some predictions can be. A probability says less than the logit that the loss was
 * computed from: where it is 0 or 1 to its last digit, the loss may be of any size.
 *
 * @param smoothing of labels, 0 to below 1; Keras' meaning
 */
export function lossBounds(
  predictions: readonly { readonly label: number; readonly probabilities: readonly number[] }[],
  smoothing: number,
): readonly [number, number] {
  let least = 0;
  let most = 0;
  for (const { label, probabilities } of predictions) {
    for (const [index, probability] of probabilities.entries()) {
      const target = (index === label ? 1 - smoothing : 0) + smoothing / probabilities.length;
      if (target === 0) continue;
      least -= target * Math.log(Math.min(1, probability + ROUNDING));
      most -= target * Math.log(Math.max(0, probability - ROUNDING));
    }
  }
  const count = Math.max(1, predictions.length);
  return [(least / count) * (1 - MEAN_ROUNDING) - MEAN_ROUNDING, (most / count) * (1 + MEAN_ROUNDING) + MEAN_ROUNDING];
}
