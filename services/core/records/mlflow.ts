/** What an entry points at; see the comment of the column. */
export type OutboxKind = 'SWEEP' | 'RUN' | 'METRICS' | 'TEST_RESULT' | 'REPORT' | 'MODEL';

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
