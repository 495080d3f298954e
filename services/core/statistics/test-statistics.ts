import type { TestPrediction } from '../task.ts';
import { balancedAccuracy, macroF1 } from './class-averages.ts';
import type { ClassScores } from './confusion-matrix.ts';
import { classCountsOf, classScores, confusionMatrix, correctCount } from './confusion-matrix.ts';
import { macroRocAuc } from './roc-auc.ts';
import type { SplitScores } from './roc-auc.ts';
import { wilsonInterval } from './wilson-interval.ts';

/** Results of a run on the test split, computed from its predictions. */
export interface TestStatistics {
  readonly imageCount: number;
  readonly correctCount: number;
  readonly accuracy: number;
  /** Ends of the 95 % Wilson interval. */
  readonly accuracyLow: number;
  readonly accuracyHigh: number;
  /** Area under the ROC curve, for more than two classes the mean over them; null where it is undefined. */
  readonly rocAuc: number | null;
  readonly macroF1: number;
  readonly balancedAccuracy: number;
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
  const counts = classCountsOf(matrix);
  const interval = wilsonInterval(correct, imageCount);
  return {
    imageCount,
    correctCount: correct,
    accuracy: imageCount === 0 ? 0 : correct / imageCount,
    accuracyLow: interval.low,
    accuracyHigh: interval.high,
    rocAuc: macroRocAuc(splitScores(predictions, classCount)),
    macroF1: macroF1(counts),
    balancedAccuracy: balancedAccuracy(counts),
    confusionMatrix: matrix.counts,
    classScores: classScores(matrix),
  };
}

/** The only column of two classes is the last probability. */
function splitScores(predictions: readonly TestPrediction[], classCount: number): SplitScores {
  const columnCount = classCount === 2 ? 1 : classCount;
  const scores = new Float64Array(predictions.length * columnCount);
  for (const [row, { probabilities }] of predictions.entries()) {
    for (let column = 0; column < columnCount; column++) {
      const probability = columnCount === 1 ? probabilities.at(-1) : probabilities[column];
      scores[row * columnCount + column] = probability ?? Number.NaN;
    }
  }
  return { labels: predictions.map(({ label }) => label), scores, columnCount };
}
