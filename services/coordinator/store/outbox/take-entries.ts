import type { Pool } from 'pg';
import type { Stage } from '../../../core/task.ts';
import type { Subject } from './claim-subjects.ts';
import type { OutboxKind } from '../../../core/records/mlflow.ts';

/** An entry in the process of being sent. */
export interface TakenEntry {
  readonly outboxId: string;
  readonly kind: OutboxKind;
  /** Set for METRICS only, like the next two. */
  readonly stage: Stage | null;
  readonly leaseEpoch: number | null;
  readonly epochs: readonly number[];
  /** True if a sender has tried it before: MLflow may have part of it. */
  readonly isRepeated: boolean;
}

/** Takes the oldest entries of a subject. Their attempt is recorded first, because a sender may die at any moment. */
export async function takeEntries(pool: Pool, subject: Subject, limit: number): Promise<TakenEntry[]> {
  const { rows } = await pool.query<{
    outbox_id: string;
    kind: OutboxKind;
    stage: Stage | null;
    lease_epoch: number | null;
    epochs: number[];
    attempt_count: number;
  }>(
    `UPDATE outbox SET attempt_count = attempt_count + 1
      WHERE outbox_id IN (SELECT outbox_id FROM outbox
                           WHERE coalesce(run_id, sweep_id) = $1 AND dead_time IS NULL ORDER BY outbox_id LIMIT $2)
     RETURNING outbox_id::text, kind, stage, lease_epoch, epochs, attempt_count`,
    [subject.subjectId, limit],
  );
  return rows
    .map((row) => ({
      outboxId: row.outbox_id,
      kind: row.kind,
      stage: row.stage,
      leaseEpoch: row.lease_epoch,
      epochs: row.epochs,
      isRepeated: row.attempt_count > 1,
    }))
    .toSorted((a, b) => Number(BigInt(a.outboxId) - BigInt(b.outboxId)));
}
