import type { ClassCounts } from './class-averages.ts';

export interface LabelPair {
  /** Number of the true class. */
  readonly label: number;
  /** Number of the predicted class. */
  readonly predictedLabel: number;
}

/** Counts of predictions, classCount² numbers row by row; row: true class, column: predicted class. */
export interface ConfusionMatrix {
  readonly classCount: number;
  readonly counts: readonly number[];
}

export interface ClassScores {
  /** Correct predictions of the class by all predictions of it; 0 without any (scikit-learn's `zero_division=0`). */
  readonly precision: number;
  /** Correct predictions of the class by its images; 0 without any. */
  readonly recall: number;
  /** Harmonic mean of the two; 0 where both are 0. */
  readonly f1: number;
  /** Number of images of the class. */
  readonly support: number;
}

/** Counts predictions by true and predicted class. @throws RangeError for a label that is no class number. */
export function confusionMatrix(pairs: readonly LabelPair[], classCount: number): ConfusionMatrix {
  const counts = new Array<number>(classCount * classCount).fill(0);
  for (const { label, predictedLabel } of pairs) {
    if (!isClass(label, classCount) || !isClass(predictedLabel, classCount)) {
      throw new RangeError(
        `Labels must be integers from 0 to ${classCount - 1}; received ${label} called ${predictedLabel}.`,
      );
    }
    const cell = label * classCount + predictedLabel;
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  return { classCount, counts };
}

/** Returns how many images of class `label` were predicted as `predictedLabel`. */
function cellOf(matrix: ConfusionMatrix, label: number, predictedLabel: number): number {
  return matrix.counts[label * matrix.classCount + predictedLabel] ?? 0;
}

/** Returns the number of correct predictions: the sum of the diagonal. */
export function correctCount(matrix: ConfusionMatrix): number {
  let sum = 0;
  for (let label = 0; label < matrix.classCount; label++) sum += cellOf(matrix, label, label);
  return sum;
}

/** Returns the sums of rows and columns, and the diagonal. */
export function classCountsOf(matrix: ConfusionMatrix): ClassCounts {
  const labels = Array.from({ length: matrix.classCount }, (_, label) => label);
  const sum = (cells: (other: number) => number): number => labels.reduce((total, other) => total + cells(other), 0);
  return {
    images: labels.map((label) => sum((other) => cellOf(matrix, label, other))),
    predicted: labels.map((label) => sum((other) => cellOf(matrix, other, label))),
    correct: labels.map((label) => cellOf(matrix, label, label)),
  };
}

/** Returns precision, recall and F1 of each class, by class number. */
export function classScores(matrix: ConfusionMatrix): ClassScores[] {
  const { images, predicted, correct } = classCountsOf(matrix);
  return Array.from({ length: matrix.classCount }, (_, label) => {
    const support = images[label] ?? 0;
    const called = predicted[label] ?? 0;
    const right = correct[label] ?? 0;
    return {
      precision: ratio(right, called),
      recall: ratio(right, support),
      f1: ratio(2 * right, called + support),
      support,
    };
  });
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function isClass(label: number, classCount: number): boolean {
  return Number.isInteger(label) && label >= 0 && label < classCount;
}
