import type { AttemptState } from '../../core/states/attempt-state.ts';
import type { RunState } from '../../core/states/run-state.ts';
import type { SweepState } from '../../core/states/sweep-state.ts';
import type { DatasetProblem } from '../../core/dataset.ts';
import type { Parameters, SweepSpec } from '../../core/sweep/sweep-spec.ts';
import type { CheckpointRef, ErrorClass, Stage, TestRole } from '../../core/task.ts';
import type { OutboxKind } from './outbox/outbox-entry.ts';

/** What the store gives back: plain values, no driver, Prisma or proto types. Absent is null. */
export interface SweepRecord {
  readonly sweepId: string;
  readonly spec: SweepSpec;
  readonly state: SweepState;
  readonly stateReason: string;
  readonly datasetId: string | null;
  readonly runCount: number;
  readonly finishedRunCount: number;
  /** Finished runs by outcome, as are the next four. */
  readonly succeededRunCount: number;
  readonly failedRunCount: number;
  readonly infeasibleRunCount: number;
  readonly stoppedRunCount: number;
  readonly cancelledRunCount: number;
  readonly bestRunId: string | null;
  readonly bestValue: number | null;
  readonly createTime: Date;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}

export interface RunRecord {
  readonly runId: string;
  readonly sweepId: string;
  readonly runIndex: number;
  readonly parameters: Parameters;
  readonly variedNames: readonly string[];
  readonly state: RunState;
  readonly stateReason: string;
  readonly stage: Stage;
  readonly epochCount: number;
  readonly epochLimit: number;
  readonly bestValue: number | null;
  readonly bestStage: Stage | null;
  readonly bestEpoch: number | null;
  readonly bestValLoss: number | null;
  readonly bestValAccuracy: number | null;
  readonly lastValue: number | null;
  readonly attemptCount: number;
  readonly peakMemoryBytes: number | null;
  /** The run whose head it shares; null: its own, or none. */
  readonly headRunId: string | null;
  readonly createTime: Date;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}

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

export interface EpochMetricRecord {
  readonly runId: string;
  readonly stage: Stage;
  readonly epoch: number;
  readonly name: string;
  /** NaN and infinities are kept. */
  readonly value: number;
}

export interface CheckpointRecord extends CheckpointRef {
  readonly createTime: Date;
  /** Kept whatever retention would do. */
  readonly pinned: boolean;
}

export interface ClassResultRecord {
  readonly className: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly support: number;
}

export interface TestResultRecord {
  readonly runId: string;
  readonly checkpointId: string;
  readonly role: TestRole;
  readonly accuracy: number;
  /** Ends of the 95 % Wilson interval. */
  readonly accuracyLow: number;
  readonly accuracyHigh: number;
  readonly loss: number;
  /** Two classes only. */
  readonly rocAuc: number | null;
  readonly imageCount: number;
  readonly correctCount: number;
  /** Row by row: true class; column: called class. */
  readonly confusionMatrix: readonly number[];
  readonly classResults: readonly ClassResultRecord[];
}

export interface LeaderboardRecord {
  readonly rank: number;
  readonly run: RunRecord;
  readonly testResult: TestResultRecord | null;
}

export interface SlotRecord {
  readonly slotIndex: number;
  readonly deviceKind: string;
  readonly deviceName: string;
  readonly memoryBytes: number;
  readonly threadCount: number;
  /** What it works on; null where idle. */
  readonly taskId: string | null;
  readonly stage: Stage | null;
  /** Why it gets no tasks; null: it does. */
  readonly benchReason: string | null;
}

export interface TrainerRecord {
  readonly trainerId: string;
  readonly hostname: string;
  readonly version: string;
  readonly engineVersion: string;
  /** BENCHED: it lives, and none of its slots gets tasks. */
  readonly state: 'READY' | 'DRAINING' | 'LOST' | 'BENCHED';
  readonly slots: readonly SlotRecord[];
  readonly heartbeatTime: Date;
  /** Reports of it that were refused. */
  readonly refusalCount: number;
  /** Why the coordinator gives it no more work; null: it does. */
  readonly drainReason: string | null;
}

export interface DatasetRecord {
  readonly datasetId: string;
  readonly path: string;
  readonly digest: string;
  readonly classNames: readonly string[];
  readonly classCounts: readonly {
    readonly split: 'train' | 'validation' | 'test';
    readonly className: string;
    readonly imageCount: number;
  }[];
  readonly problems: readonly DatasetProblem[];
  readonly createTime: Date;
}

export interface MlflowStatusRecord {
  /** null: nothing is mirrored. */
  readonly trackingUri: string | null;
  readonly pendingEntryCount: number;
  /** Sweeps and runs that they are of. */
  readonly pendingSubjectCount: number;
  readonly oldestPendingTime: Date | null;
  readonly deadLetterCount: number;
  readonly successTime: Date | null;
  readonly failureTime: Date | null;
  /** In a row. */
  readonly failureCount: number;
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly nextTryTime: Date | null;
}

export interface DeadLetterRecord {
  readonly entryId: string;
  readonly sweepId: string;
  readonly runId: string | null;
  readonly kind: OutboxKind;
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly attemptCount: number;
  readonly deadTime: Date;
}

/** One page of a list; `next` is the key of the last row, null on the last page. */
export interface Page<T, K> {
  readonly items: readonly T[];
  readonly next: K | null;
}
