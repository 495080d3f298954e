/** Tolerance for the rounding of a probability that was computed in double precision from float32 logits. */
const ROUNDING = 1e-6;
/** Tolerance for the rounding of a mean of losses, relative and absolute. */
const MEAN_ROUNDING = 1e-4;

/**
 * Returns the bounds of the mean cross-entropy of predictions. A probability is less precise than the logit that the loss was
 * computed from: where it is rounded to 0 or 1, the loss may be of any size.
 *
 * @param smoothing label smoothing, 0 to below 1; Keras' meaning
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
