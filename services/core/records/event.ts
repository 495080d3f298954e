import type { RunState } from '../states/run-state.ts';
import type { SweepState } from '../states/sweep-state.ts';
import type { Stage } from '../task.ts';
import type { TestResultRecord } from './test-result.ts';

/** States of a task that watchers are told of. */
export type TaskEventState = 'LEASED' | 'SUCCEEDED' | 'RELEASED' | 'FAILED' | 'EXPIRED' | 'CANCELLED';

/** What happened in a sweep; the row's `kind` and `payload`. */
export type SweepEvent =
  | { readonly kind: 'SWEEP_STATE'; readonly state: SweepState; readonly reason: string }
  | {
      readonly kind: 'RUN_STATE';
      readonly runId: string;
      readonly state: RunState;
      readonly stage: Stage;
      readonly reason: string;
    }
  | {
      readonly kind: 'EPOCH';
      readonly runId: string;
      readonly stage: Stage;
      readonly epoch: number;
      readonly names: readonly string[];
      readonly values: readonly number[];
    }
  | {
      readonly kind: 'TASK';
      readonly taskId: string;
      readonly stage: Stage;
      readonly state: TaskEventState;
      readonly trainerId: string;
      readonly message: string;
    }
  | { readonly kind: 'TEST_RESULT'; readonly result: TestResultRecord };

/** An event as it was stored. */
export interface StoredEvent {
  /** Grows with the order in which a sweep's events became visible. */
  readonly cursor: bigint;
  /** By the database's clock. */
  readonly eventTime: Date;
  readonly event: SweepEvent;
}
