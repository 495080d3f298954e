import { isBetter } from '../../../services/core/objective.ts';
import type { Objective } from '../../../services/core/objective.ts';
import type { LadderRun } from '../../../services/core/stopping/ladder.ts';
import type { Evidence } from '../../../services/core/statistics/evidence.ts';

/** Everything that training would show: each run trained to its end, on record. */
export interface World {
  readonly name: string;
  readonly objective: Objective;
  /** Run `i` has index `i`. */
  readonly runs: readonly WorldRun[];
  /** Tasks whose work several runs share; the heads they train end together. Empty: runs start with fine-tuning. */
  readonly shared: readonly SharedTask[];
  /** Slot-seconds that each fine-tuning task takes beside its epochs: start, checkpoints. */
  readonly taskSeconds: number;
}

export interface WorldRun extends LadderRun {
  readonly head: StageCurve | null;
  readonly fineTune: StageCurve | null;
  /** Accuracy of its best epoch on the test images, trained to its end; null or absent: not on record. */
  readonly testAccuracy?: number | null;
}

/** One stage of one run. Epochs count from 1; element 0 is epoch 1. */
export interface StageCurve {
  /** Objective's value after each epoch, as the search sees it. */
  readonly values: ArrayLike<number>;
  /** The value without noise of measurement, by which the outcome of a search is judged. */
  readonly truths: ArrayLike<number>;
  /** val_loss after each epoch, which decides between runs of equal accuracy; absent: none is on record. */
  readonly losses?: ArrayLike<number>;
  /** Slot-seconds from the stage's start to the end of each epoch; all 0 for heads, whose seconds are their task's. */
  readonly seconds: ArrayLike<number>;
  /** Outcomes of the validation images after an epoch; null: not on record. */
  readonly evidenceAt: ((epoch: number) => Evidence) | null;
}

/** Features of a backbone, or a group of heads. */
export interface SharedTask {
  readonly stage: 'FEATURES' | 'HEAD';
  readonly seconds: number;
  /** Heads that end with it, by run index. */
  readonly runs: readonly number[];
  /** Position of the task that must end before; null: none. */
  readonly after: number | null;
}

/** Returns the epoch (from 1) with the best value among the first `epochs`; the first of equals, as in Keras' ModelCheckpoint. */
export function bestEpoch(objective: Objective, { values }: StageCurve, epochs: number): number {
  let best = 1;
  for (let epoch = 2; epoch <= epochs; epoch++) {
    if (isBetter(objective, values[epoch - 1] ?? Number.NaN, values[best - 1] ?? Number.NaN)) best = epoch;
  }
  return best;
}

/** Returns the slot-seconds of the whole world: each run trained to its end. */
export function exhaustiveSeconds({ runs, shared, taskSeconds }: World): number {
  const fineTunes = runs.flatMap(({ fineTune }) => (fineTune === null ? [] : [taskSeconds + lastOf(fineTune.seconds)]));
  return [...shared.map(({ seconds }) => seconds), ...fineTunes].reduce((sum, seconds) => sum + seconds, 0);
}

/** Returns the number of fine-tuning epochs of the whole world. */
export function exhaustiveEpochs({ runs }: World): number {
  return runs.reduce((sum, { fineTuneEpochs }) => sum + (fineTuneEpochs ?? 0), 0);
}

export function lastOf(numbers: ArrayLike<number>): number {
  return numbers[numbers.length - 1] ?? 0;
}
