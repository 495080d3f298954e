/** Half-width of a two-sided 95 % interval in standard deviations: the 0.975 quantile of the normal distribution. */
const Z_95 = 1.959963984540054;

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Returns Wilson's score interval of a proportion (E. B. Wilson, JASA 22, 1927): unlike p ± z·σ it never leaves [0, 1] and stays
 * honest at 0 and at 1.
 *
 * @param successes integer, 0 to `trials`.
 * @param trials integer, at least 0; 0 gives [0, 1].
 * @throws RangeError for other numbers.
 */
export function wilsonInterval(successes: number, trials: number, z = Z_95): Interval {
  if (!Number.isInteger(successes) || !Number.isInteger(trials) || successes < 0 || successes > trials) {
    throw new RangeError(`There must be 0 ≤ successes ≤ trials, both integers; received ${successes} of ${trials}.`);
  }
  if (trials === 0) return { low: 0, high: 1 };
  const proportion = successes / trials;
  const zz = z * z;
  const denominator = 1 + zz / trials;
  const center = (proportion + zz / (2 * trials)) / denominator;
  const margin = (z / denominator) * Math.sqrt((proportion * (1 - proportion)) / trials + zz / (4 * trials * trials));
  // Exact ends: rounding would give 1e-17 instead of 0.
  return {
    low: successes === 0 ? 0 : Math.max(0, center - margin),
    high: successes === trials ? 1 : Math.min(1, center + margin),
  };
}
