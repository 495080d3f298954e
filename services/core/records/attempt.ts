import type { AttemptState } from '../states/attempt-state.ts';
import type { ErrorClass, Stage } from '../task.ts';

/** One attempt at one of a run's tasks. */
export interface AttemptRecord {
  readonly taskId: string;
  readonly stage: Stage | null;
  readonly leaseEpoch: number;
  readonly trainerId: string;
  readonly slotIndex: number;
  readonly state: AttemptState;
  /** Empty without an error, as are `errorCode` and `message`. */
  readonly errorClass: ErrorClass | '';
  readonly errorCode: string;
  readonly message: string;
  /** Number of micro-batches that each batch was split into; 1: batches were processed whole. */
  readonly microBatchDivisor: number;
  readonly startTime: Date;
  readonly endTime: Date | null;
}
