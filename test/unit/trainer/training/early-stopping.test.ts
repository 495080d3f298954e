import { describe, expect, test } from 'vitest';
import type { Objective } from '../../../../services/core/objective.ts';
import { checkTrain } from '../../../../services/core/reports/check-train.ts';
import {
  earlyStopOf,
  INITIAL_EARLY_STOPPING,
  stepEarlyStopping,
} from '../../../../services/trainer/training/early-stopping.ts';

const AUC: Objective = { metric: 'val_auc', goal: 'maximize' };
const config = { patience: 2, minDelta: 0 };

/** Trains until early stopping, and gives the epoch and the coordinator's mistakes in its outcome. */
function stopOn(values: readonly number[]): {
  readonly epoch: number;
  readonly best: number | null;
  readonly mistakes: number;
} {
  let state = INITIAL_EARLY_STOPPING;
  let epoch = 0;
  for (const value of values) {
    epoch += 1;
    state = stepEarlyStopping(state, config, AUC, epoch, value);
    if (state.stopped) break;
  }
  expect(state.stopped).toBe(true);
  const earlyStop = earlyStopOf(state, config, epoch);
  const outcome = { runId: 'r1', kind: 'EARLY_STOPPED', error: null, epochCount: epoch, peakMemoryBytes: 1 } as const;
  const member = { runId: 'r1', epochLimit: 30, pauseEpoch: null, hasEnded: false };
  const mistakes = checkTrain([{ ...outcome, ...(earlyStop !== null && { earlyStop }) }], [member]).length;
  return { epoch, best: earlyStop?.bestValue ?? null, mistakes };
}

describe('early stopping', () => {
  // One class in the validation split: the area under the curve is undefined in each epoch.
  test('ends a run whose objective was never a number, in an outcome that the coordinator takes', () => {
    expect(stopOn([NaN, NaN, NaN, NaN])).toEqual({ epoch: 3, best: null, mistakes: 0 });
    expect(stopOn([-Infinity, -Infinity, -Infinity])).toEqual({ epoch: 3, best: null, mistakes: 0 });
  });

  test('names the best value that it waited to improve on', () => {
    expect(stopOn([0.6, 0.7, NaN, 0.65])).toEqual({ epoch: 4, best: 0.7, mistakes: 0 });
  });
});
