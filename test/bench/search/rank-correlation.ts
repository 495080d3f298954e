/** Returns Spearman's rank correlation of two lists, with mean ranks of equal values. */
export function rankCorrelation(first: readonly number[], second: readonly number[]): number {
  const [a, b] = [ranksOf(first), ranksOf(second)];
  return productSum(a, b) / Math.sqrt(productSum(a, a) * productSum(b, b));
}

/** Returns mean ranks minus their mean. */
function ranksOf(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + equal / 2 - values.length / 2;
  });
}

function productSum(first: readonly number[], second: readonly number[]): number {
  return first.reduce((sum, value, at) => sum + value * (second[at] ?? 0), 0);
}
