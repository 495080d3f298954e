import type { RunState } from '../states/run-state.ts';
import type { SweepState } from '../states/sweep-state.ts';
import type { Stage } from '../task.ts';
import type { TestResultRecord } from './test-result.ts';

/** States of a task that are reported to watchers. */
export type TaskEventState = 'LEASED' | 'SUCCEEDED' | 'RELEASED' | 'FAILED' | 'EXPIRED' | 'CANCELLED';

/** One epoch of a run: `values[i]` is the metric `names[i]`. */
export interface EpochEvent {
  readonly kind: 'EPOCH';
  readonly runId: string;
  readonly stage: Stage | null;
  readonly epoch: number;
  readonly names: readonly string[];
  readonly values: readonly number[];
}

/** A change in a sweep; stored as the row's `kind` and `payload`. */
export type SweepEvent =
  | { readonly kind: 'SWEEP_STATE'; readonly state: SweepState; readonly reason: string }
  | {
      readonly kind: 'RUN_STATE';
      readonly runId: string;
      readonly state: RunState;
      readonly stage: Stage | null;
      readonly reason: string;
    }
  | EpochEvent
  | {
      readonly kind: 'TASK';
      readonly taskId: string;
      readonly stage: Stage | null;
      readonly state: TaskEventState;
      readonly trainerId: string;
      readonly message: string;
    }
  | { readonly kind: 'TEST_RESULT'; readonly result: TestResultRecord };

/** A stored event. */
export interface StoredEvent {
  /** Grows in the order in which a sweep's events became visible; WatchSweep resumes after it. */
  readonly cursor: bigint;
  /** Time by the database's clock. */
  readonly eventTime: Date;
  readonly event: SweepEvent;
}

/** Returns the metrics of an epoch by name. */
export function metricsOf({ names, values }: EpochEvent): Readonly<Record<string, number>> {
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? Number.NaN]));
}
