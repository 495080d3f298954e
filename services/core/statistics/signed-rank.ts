/**
 * Returns the one-sided p value of Wilcoxon's signed rank test: small if the differences tend to be above 0. Zeros have ranks, half
 * of them on each side (`zero_method="zsplit"` of SciPy). Exact also with ties: SciPy has a normal approximation for those.
 *
 * The distribution of the sum of positive ranks is built rank by rank, so this is for samples of at most a few hundred.
 */
export function signedRankP(differences: readonly number[]): number {
  const ranks = doubledRanks(differences.map(Math.abs));
  const moving = ranks.filter((_, index) => differences[index] !== 0);
  const total = moving.reduce((sum, rank) => sum + rank, 0);
  const observed = ranks.reduce((sum, rank, index) => sum + ((differences[index] ?? 0) > 0 ? rank : 0), 0);
  const chances = new Float64Array(total + 1);
  chances[0] = 1;
  let reached = 0;
  for (const rank of moving) {
    reached += rank;
    for (let sum = reached; sum >= 0; sum--) {
      chances[sum] = ((chances[sum] ?? 0) + (sum >= rank ? (chances[sum - rank] ?? 0) : 0)) / 2;
    }
  }
  return chances.subarray(observed).reduce((sum, chance) => sum + chance, 0);
}

/** Twice the rank of each value from 1; tied values have their mean rank, so that the double is an integer. */
function doubledRanks(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  for (const [index, value] of sorted.entries()) {
    if (!first.has(value)) first.set(value, index + 1);
    last.set(value, index + 1);
  }
  return values.map((value) => (first.get(value) ?? 0) + (last.get(value) ?? 0));
}
