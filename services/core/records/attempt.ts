import type { AttemptState } from '../states/attempt-state.ts';
import type { ErrorClass, Stage } from '../task.ts';

export interface AttemptRecord {
  readonly taskId: string;
  readonly stage: Stage;
  readonly leaseEpoch: number;
  readonly trainerId: string;
  readonly slotIndex: number;
  readonly state: AttemptState;
  readonly errorClass: ErrorClass | null;
  readonly errorCode: string | null;
  readonly message: string;
  /** Batches were worked off in so many parts. */
  readonly microBatchDivisor: number;
  readonly startTime: Date;
  readonly endTime: Date | null;
}
