/**
 * Returns the part of the ranks' variance that lies between groups: η² of the Kruskal–Wallis test, (H − k + 1) / (n − k), with H corrected
 * for ties (M. Tomczak and E. Tomczak, Trends in Sport Sciences 21, 2014). At least 0; null unless two groups and one more value exist, or
 * where all values are equal.
 *
 * @param groups finite values or infinities by group; empty groups are left out.
 */
export function explainedRanks(groups: readonly (readonly number[])[]): number | null {
  const filled = groups.filter(({ length }) => length > 0);
  const all = filled.flatMap((values, group) => values.map((value) => ({ value, group })));
  const count = all.length;
  if (filled.length < 2 || count <= filled.length) return null;
  all.sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
  const rankSums = filled.map(() => 0);
  let tieTerm = 0;
  for (let start = 0; start < count;) {
    let end = start;
    while (end < count && all[end]?.value === all[start]?.value) end++;
    for (const { group } of all.slice(start, end)) rankSums[group] = (rankSums[group] ?? 0) + (start + 1 + end) / 2;
    tieTerm += (end - start) ** 3 - (end - start);
    start = end;
  }
  const tieFactor = 1 - tieTerm / (count ** 3 - count);
  if (tieFactor === 0) return null;
  const squares = rankSums.reduce((sum, rankSum, group) => sum + rankSum ** 2 / (filled[group]?.length ?? 1), 0);
  const h = ((12 / (count * (count + 1))) * squares - 3 * (count + 1)) / tieFactor;
  return Math.max(0, (h - filled.length + 1) / (count - filled.length));
}
