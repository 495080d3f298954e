import type { Objective } from '../../core/objective.ts';
import type { EarlyStoppingConfig } from '../../core/run-config.ts';
import type { EarlyStop } from '../../core/task.ts';

/** The state that a checkpoint must contain. */
export interface EarlyStoppingState {
  readonly best: number | null;
  /** Epochs since the last improvement. */
  readonly wait: number;
  readonly stopped: boolean;
}

export const INITIAL_EARLY_STOPPING: EarlyStoppingState = { best: null, wait: 0, stopped: false };

/**
 * Returns the state after an epoch, as Keras 3.15 `EarlyStopping(monitor, patience, min_delta)`
 * (keras/src/callbacks/early_stopping.py), which compares in float32 and never stops after the first epoch.
 *
 * @param epoch from 1.
 * @param value of the objective's metric.
 */
export function stepEarlyStopping(
  state: EarlyStoppingState,
  config: EarlyStoppingConfig,
  objective: Objective,
  epoch: number,
  value: number,
): EarlyStoppingState {
  if (isImprovement(objective.goal, value, state.best, config.minDelta)) {
    return { best: value, wait: 0, stopped: false };
  }
  const wait = state.wait + 1;
  return { best: state.best, wait, stopped: wait >= config.patience && epoch > 1 };
}

/** Returns the reason of a stop after an epoch; null: no value was finite. */
export function earlyStopOf(
  { best, wait }: EarlyStoppingState,
  { patience, minDelta }: EarlyStoppingConfig,
  epoch: number,
): EarlyStop | null {
  // As in Keras, NaN of the first epochs (`val_auc` on one class) is the value to improve on. It is no best value.
  if (best === null || !Number.isFinite(best)) return null;
  return { patience, minDelta, bestEpoch: epoch - wait, bestValue: best };
}

/** Implements Keras 3.15 `MonitorCallback._is_improvement` (keras/src/callbacks/monitor_callback.py). */
export function isImprovement(
  goal: Objective['goal'],
  value: number,
  reference: number | null,
  minDelta: number,
): boolean {
  if (reference === null) return true;
  const delta = Math.abs(minDelta);
  return goal === 'minimize'
    ? Math.fround(value + delta) < Math.fround(reference)
    : Math.fround(value - delta) > Math.fround(reference);
}
