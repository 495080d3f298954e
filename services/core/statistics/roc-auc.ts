export interface ScoredLabel {
  /** True: the image belongs to the positive class (number 1). */
  readonly positive: boolean;
  /** Larger: more likely positive. */
  readonly score: number;
}

/**
 * Returns the area under the ROC curve: the probability that a positive image scores above a negative one, equal scores counting a half
 * (Mann and Whitney's U with mid-ranks). Null where one of the classes has no image or a score is not a number.
 */
export function rocAuc(items: readonly ScoredLabel[]): number | null {
  const positives = items.filter((item) => item.positive).length;
  const negatives = items.length - positives;
  if (positives === 0 || negatives === 0 || items.some((item) => Number.isNaN(item.score))) return null;
  const sorted = [...items].sort((a, b) => (a.score < b.score ? -1 : a.score > b.score ? 1 : 0));
  let rankSum = 0;
  for (let start = 0; start < sorted.length;) {
    const score = sorted[start]?.score;
    let end = start;
    let positivesHere = 0;
    while (end < sorted.length && sorted[end]?.score === score) {
      if (sorted[end]?.positive === true) positivesHere++;
      end++;
    }
    rankSum += positivesHere * ((start + 1 + end) / 2);
    start = end;
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
