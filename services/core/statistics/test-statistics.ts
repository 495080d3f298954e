import type { TestPrediction } from '../task.ts';
import type { ClassScores } from './confusion-matrix.ts';
import { classScores, confusionMatrix, correctCount } from './confusion-matrix.ts';
import { rocAuc } from './roc-auc.ts';
import { wilsonInterval } from './wilson-interval.ts';

/** Results of a run on the test split, computed from its predictions. */
export interface TestStatistics {
  readonly imageCount: number;
  readonly correctCount: number;
  readonly accuracy: number;
  /** Ends of the 95 % Wilson interval. */
  readonly accuracyLow: number;
  readonly accuracyHigh: number;
  /** Area under the ROC curve for two classes; null for more, or where one has no image. */
  readonly rocAuc: number | null;
  /** Counts row by row; row: true class, column: predicted class. */
  readonly confusionMatrix: readonly number[];
  /** Scores by class number. */
  readonly classScores: readonly ClassScores[];
}

/**
 * Computes all results of a run. The last probability of a two-class prediction counts as that of class 1, so that both one
 * sigmoid unit and two probabilities can be given.
 *
 * @param classCount at least 2.
 * @throws RangeError for labels that are no class numbers.
 */
export function testStatistics(predictions: readonly TestPrediction[], classCount: number): TestStatistics {
  const matrix = confusionMatrix(predictions, classCount);
  const imageCount = predictions.length;
  const correct = correctCount(matrix);
  const interval = wilsonInterval(correct, imageCount);
  return {
    imageCount,
    correctCount: correct,
    accuracy: imageCount === 0 ? 0 : correct / imageCount,
    accuracyLow: interval.low,
    accuracyHigh: interval.high,
    rocAuc: classCount === 2 ? twoClassAuc(predictions) : null,
    confusionMatrix: matrix.counts,
    classScores: classScores(matrix),
  };
}

function twoClassAuc(predictions: readonly TestPrediction[]): number | null {
  return rocAuc(
    predictions.map(({ label, probabilities }) => ({ positive: label === 1, score: probabilities.at(-1) ?? NaN })),
  );
}
