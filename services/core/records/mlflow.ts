/** Kinds of outbox entries; the comment of the column `outbox.kind` describes each. */
export const OUTBOX_KINDS = ['SWEEP', 'RUN', 'METRICS', 'TEST_RESULT', 'REPORT', 'MODEL'] as const;
export type OutboxKind = (typeof OUTBOX_KINDS)[number];

/** State of the MLflow mirror. */
export interface MlflowStatusRecord {
  /** Null: nothing is mirrored. */
  readonly trackingUri: string | null;
  readonly pendingEntryCount: number;
  /** Number of sweeps and runs that the pending entries belong to. */
  readonly pendingSubjectCount: number;
  readonly oldestPendingTime: Date | null;
  readonly deadLetterCount: number;
  readonly successTime: Date | null;
  readonly failureTime: Date | null;
  /** Consecutive failures. */
  readonly failureCount: number;
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly nextTryTime: Date | null;
}

/** An outbox entry that MLflow refused permanently. */
export interface DeadLetterRecord {
  readonly entryId: bigint;
  readonly sweepId: string;
  readonly runId: string | null;
  readonly kind: OutboxKind;
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly attemptCount: number;
  readonly deadTime: Date;
}
