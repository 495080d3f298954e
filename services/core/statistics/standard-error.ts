import type { ObjectiveMetric } from '../objective.ts';
import type { Evidence } from './evidence.ts';
import { correctCountOf } from './evidence.ts';

/**
 * Returns the standard error of a score on the validation images: √(p(1−p)/n) of an accuracy, √(s²/n) of a mean loss with the sample
 * variance s². Null: this evidence doesn't give it, as for metrics by class.
 */
export function standardErrorOf(metric: ObjectiveMetric, evidence: Evidence): number | null {
  const { count, losses } = evidence;
  if (metric === 'val_accuracy' && count > 0) {
    const accuracy = correctCountOf(evidence) / count;
    return Math.sqrt((accuracy * (1 - accuracy)) / count);
  }
  if (metric !== 'val_loss' || losses === null || losses.length < 2) return null;
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  const squares = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0);
  const error = Math.sqrt(squares / (losses.length - 1) / losses.length);
  return Number.isFinite(error) ? error : null;
}
