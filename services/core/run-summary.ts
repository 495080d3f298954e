import { isBetter } from './objective.ts';
import type { Objective } from './objective.ts';
import type { Stage } from './task.ts';

/** Summary of a run's epochs as its row stores it; derived from the metrics that count. */
export interface RunSummary {
  /** Stage the run is in. */
  readonly stage: Stage;
  /** Completed epochs of the stage. */
  readonly epochCount: number;
  /** Objective value of the last of these epochs; null where that epoch has none. */
  readonly lastValue: number | null;
  /** The best epoch over all stages; null before the first epoch with a value that is a number. */
  readonly best: BestEpoch | null;
}

export interface BestEpoch {
  readonly value: number;
  readonly stage: Stage;
  readonly epoch: number;
  readonly valLoss: number | null;
  readonly valAccuracy: number | null;
}

/** An epoch that has just been measured. */
export interface MeasuredEpoch {
  readonly stage: Stage;
  readonly epoch: number;
  readonly names: readonly string[];
  /** Values in the order of the names. */
  readonly values: readonly number[];
}

/**
 * Returns the summary with one more epoch, without reading the epochs before: the cost of an epoch does not grow with their number.
 *
 * @returns null where all epochs must be read: the epoch does not follow those of the summary, or the run is in another stage.
 */
export function addEpoch(summary: RunSummary, measured: MeasuredEpoch, objective: Objective): RunSummary | null {
  const { stage, epoch } = measured;
  const isNext = stage === summary.stage && epoch > summary.epochCount;
  // A best epoch of the later stage loses to this one where the two are equal.
  if (!isNext || (stage === 'HEAD' && summary.best?.stage === 'FINE_TUNE')) return null;
  const lastValue = valueOf(measured, objective.metric);
  const isBest = lastValue !== null && isBetter(objective, lastValue, summary.best?.value ?? null);
  const best = isBest
    ? {
        value: lastValue,
        stage,
        epoch,
        valLoss: valueOf(measured, 'val_loss'),
        valAccuracy: valueOf(measured, 'val_accuracy'),
      }
    : summary.best;
  return { stage, epochCount: epoch, lastValue, best };
}

function valueOf({ names, values }: MeasuredEpoch, name: string): number | null {
  const at = names.indexOf(name);
  return at === -1 ? null : (values[at] ?? null);
}
