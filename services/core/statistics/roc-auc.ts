/**
 * Returns the area under the ROC curve: the probability that a positive image scores above a negative one, equal scores counting a half
 * (Mann and Whitney's U with mid-ranks).
 *
 * @param positives and `negatives`: scores; the fewer ones are sorted in place.
 * @returns null where one of the two is empty or a score is not a number.
 */
export function rocAuc(positives: Float64Array, negatives: Float64Array): number | null {
  if (positives.length === 0 || negatives.length === 0) return null;
  if (positives.some(Number.isNaN) || negatives.some(Number.isNaN)) return null;
  const pairCount = positives.length * negatives.length;
  const isPositiveFewer = positives.length < negatives.length;
  const [few, many] = isPositiveFewer ? [positives, negatives] : [negatives, positives];
  const halves = halvesBelow(few.sort(), many);
  return (isPositiveFewer ? 2 * pairCount - halves : halves) / (2 * pairCount);
}

/** Returns twice the number of pairs in which the sorted score is below the other one; equal ones count once. */
function halvesBelow(sorted: Float64Array, others: Float64Array): number {
  let halves = 0;
  for (const score of others) {
    const below = countBelow(sorted, score);
    let equal = below;
    if (equal < sorted.length && sorted[equal] === score) equal = countUpTo(sorted, score, below);
    halves += below + equal;
  }
  return halves;
}

function countBelow(sorted: Float64Array, score: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < score) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param known number of scores that are known to be at most `score`. */
function countUpTo(sorted: Float64Array, score: number, known: number): number {
  let [low, high] = [known, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) <= score) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Scores of a split. */
export interface SplitScores {
  /** True class of each image. */
  readonly labels: ArrayLike<number>;
  /** Row-major [images, columns]: one column is the score of class 1 of two, else each class has its own. */
  readonly scores: Float64Array;
  readonly columnCount: number;
}

/**
 * Returns the area under the ROC curve of two classes, or the mean over the classes, each against the others, as scikit-learn's
 * `roc_auc_score(multi_class='ovr', average='macro')`. A class has no curve where no image or every image belongs to it. Where
 * scikit-learn returns NaN or an error for such a class, it is left out of the mean here, as in balanced accuracy.
 *
 * @returns null where no class has a curve or a score is not a number.
 */
export function macroRocAuc({ labels, scores, columnCount }: SplitScores): number | null {
  let sum = 0;
  let classCount = 0;
  for (let column = 0; column < columnCount; column++) {
    const positiveLabel = columnCount === 1 ? 1 : column;
    let positiveCount = 0;
    for (let row = 0; row < labels.length; row++) if (labels[row] === positiveLabel) positiveCount += 1;
    if (positiveCount === 0 || positiveCount === labels.length) continue;
    const positives = new Float64Array(positiveCount);
    const negatives = new Float64Array(labels.length - positiveCount);
    let [positiveAt, negativeAt] = [0, 0];
    for (let row = 0; row < labels.length; row++) {
      const score = scores[row * columnCount + column] ?? Number.NaN;
      if (labels[row] === positiveLabel) positives[positiveAt++] = score;
      else negatives[negativeAt++] = score;
    }
    const area = rocAuc(positives, negatives);
    if (area === null) return null;
    sum += area;
    classCount += 1;
  }
  return classCount === 0 ? null : sum / classCount;
}
