import type { EarlyStop, Stage } from './task.ts';
import { countOf } from './text/count-of.ts';
import { significant } from './text/significant.ts';

/** The stage that early stopping ended. */
interface EarlyStoppedStage {
  readonly stage: Stage;
  readonly epochCount: number;
  readonly epochLimit: number;
  /** Metric of the objective. */
  readonly metric: string;
}

/**
 * Describes for people why early stopping ended a stage: "fine-tuning stopped early after epoch 7 of 30: no better val_loss for 3
 * epochs (best 0.081 at epoch 4)".
 *
 * @param reason absent from trainers of earlier versions.
 */
export function earlyStopText(
  { stage, epochCount, epochLimit, metric }: EarlyStoppedStage,
  reason: EarlyStop | undefined,
): string {
  const training = stage === 'FINE_TUNE' ? 'fine-tuning' : 'head training';
  const what = `${training} stopped early after epoch ${epochCount} of ${epochLimit}`;
  if (reason === undefined) return what;
  const { patience, minDelta, bestEpoch, bestValue } = reason;
  const best = significant(bestValue);
  const wait = countOf(patience, 'epoch');
  if (minDelta === 0) return `${what}: no better ${metric} for ${wait} (best ${best} at epoch ${bestEpoch})`;
  // That epoch need not be the best one: later ones may be better by less.
  return `${what}: no ${metric} more than ${minDelta} better than ${best} of epoch ${bestEpoch} for ${wait}`;
}
