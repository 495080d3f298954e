import { logBinomial } from './log-gamma.ts';

/**
 * Returns the one-sided mid-p value of McNemar's exact test: the probability of at least `referenceOnly` of the discordant images
 * for the reference if the two runs are equally good, the observed count by half. Small: the candidate is worse.
 *
 * Σ_{k>b} C(b+c, k)/2^(b+c) + ½·C(b+c, b)/2^(b+c). The mid-p value keeps its level and wastes less power than the exact p value
 * (Fagerland, Lydersen and Laake 2013, https://doi.org/10.1186/1471-2288-13-91).
 *
 * @param referenceOnly b, the number of images that only the reference classifies correctly.
 * @param candidateOnly c, the number of images that only the candidate classifies correctly.
 */
export function mcnemarMidP(referenceOnly: number, candidateOnly: number): number {
  if (referenceOnly < candidateOnly) return 1 - mcnemarMidP(candidateOnly, referenceOnly);
  const count = referenceOnly + candidateOnly;
  let term = Math.exp(logBinomial(count, referenceOnly) - count * Math.LN2);
  let sum = term / 2;
  // At and beyond the middle each term is smaller than the one before it.
  for (let k = referenceOnly; k < count && term > sum * Number.EPSILON; k++) {
    term *= (count - k) / (k + 1);
    sum += term;
  }
  return sum;
}
