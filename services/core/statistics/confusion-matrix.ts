export interface LabelPair {
  /** Number of the true class. */
  readonly label: number;
  /** Number of the class it was called. */
  readonly predictedLabel: number;
}

/** Right and wrong calls, row by row: true class, column: called class; classCount² numbers. */
export interface ConfusionMatrix {
  readonly classCount: number;
  readonly counts: readonly number[];
}

export interface ClassScores {
  /** Right among those called so; 0 where none was called so (as scikit-learn's `zero_division=0`). */
  readonly precision: number;
  /** Found among those that are so; 0 where there are none. */
  readonly recall: number;
  /** Harmonic mean of the two; 0 where both are 0. */
  readonly f1: number;
  /** Images of the class. */
  readonly support: number;
}

/** Throws `RangeError` for a label that is no class number. */
export function confusionMatrix(pairs: readonly LabelPair[], classCount: number): ConfusionMatrix {
  const counts = new Array<number>(classCount * classCount).fill(0);
  for (const { label, predictedLabel } of pairs) {
    if (!isClass(label, classCount) || !isClass(predictedLabel, classCount)) {
      throw new RangeError(
        `Labels must be whole numbers from 0 to ${classCount - 1}; received ${label} called ${predictedLabel}.`,
      );
    }
    const cell = label * classCount + predictedLabel;
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  return { classCount, counts };
}

/** How often class `label` was called `predictedLabel`. */
function cellOf(matrix: ConfusionMatrix, label: number, predictedLabel: number): number {
  return matrix.counts[label * matrix.classCount + predictedLabel] ?? 0;
}

/** Number of right calls: the diagonal. */
export function correctCount(matrix: ConfusionMatrix): number {
  let sum = 0;
  for (let label = 0; label < matrix.classCount; label++) sum += cellOf(matrix, label, label);
  return sum;
}

/** Precision, recall and F1 of each class, by class number. */
export function classScores(matrix: ConfusionMatrix): ClassScores[] {
  return Array.from({ length: matrix.classCount }, (_, label) => {
    let support = 0;
    let called = 0;
    for (let other = 0; other < matrix.classCount; other++) {
      support += cellOf(matrix, label, other);
      called += cellOf(matrix, other, label);
    }
    const right = cellOf(matrix, label, label);
    const precision = ratio(right, called);
    const recall = ratio(right, support);
    return { precision, recall, f1: ratio(2 * right, called + support), support };
  });
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function isClass(label: number, classCount: number): boolean {
  return Number.isInteger(label) && label >= 0 && label < classCount;
}
