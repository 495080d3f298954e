/** Counts of the images of a split by class number; each has one element per class. */
export interface ClassCounts {
  /** Images of the class. */
  readonly images: ArrayLike<number>;
  /** Images that were predicted as the class. */
  readonly predicted: ArrayLike<number>;
  /** Images of the class that were predicted as it. */
  readonly correct: ArrayLike<number>;
}

/**
 * Returns the mean F1 of the classes, as scikit-learn's `f1_score(average='macro', zero_division=0)`. A class that neither occurs nor
 * is predicted is left out. 0 without any class.
 */
export function macroF1({ images, predicted, correct }: ClassCounts): number {
  let sum = 0;
  let classCount = 0;
  for (let label = 0; label < images.length; label++) {
    const occurrences = (images[label] ?? 0) + (predicted[label] ?? 0);
    if (occurrences === 0) continue;
    sum += (2 * (correct[label] ?? 0)) / occurrences;
    classCount += 1;
  }
  return classCount === 0 ? 0 : sum / classCount;
}

/**
 * Returns the mean recall of the classes, as scikit-learn's `balanced_accuracy_score`. A class without images is left out. 0 without
 * any class.
 */
export function balancedAccuracy({ images, correct }: Pick<ClassCounts, 'images' | 'correct'>): number {
  let sum = 0;
  let classCount = 0;
  for (let label = 0; label < images.length; label++) {
    const count = images[label] ?? 0;
    if (count === 0) continue;
    sum += (correct[label] ?? 0) / count;
    classCount += 1;
  }
  return classCount === 0 ? 0 : sum / classCount;
}
