import type { Pool } from 'pg';
import { withTransaction } from '../../../platform/db/transaction.ts';
import type { Subject } from './claim-subjects.ts';

export interface EntryError {
  readonly code: string;
  readonly message: string;
}

/** The outcome of sending the entries of a subject. */
export interface Settlement {
  /** Entries that MLflow has accepted. */
  readonly sentIds: readonly string[];
  /** Entries that MLflow will never accept: dead letters. */
  readonly refused: readonly { readonly outboxIds: readonly string[]; readonly error: EntryError }[];
  /** Entries that are kept for a retry after a failure; null: none. */
  readonly failed: { readonly outboxIds: readonly string[]; readonly error: EntryError } | null;
  /** Milliseconds until the subject is due again. */
  readonly waitMs: number;
  /** Consecutive failures, this one included. */
  readonly failureCount: number;
}

const MAX_MESSAGE_LENGTH = 4000;

/** Removes sent entries, marks dead letters and releases the subject. Has no effect when the claim was lost. */
export async function settleEntries(pool: Pool, subject: Subject, settlement: Settlement): Promise<void> {
  await withTransaction(pool, async (client) => {
    const { rowCount } = await client.query(
      `UPDATE mlflow_runs
          SET claim_expire_time = NULL, failure_count = $3, next_try_time = now() + $4 * interval '1 millisecond'
        WHERE subject_id = $1 AND claim_epoch = $2`,
      [subject.subjectId, subject.claimEpoch, settlement.failureCount, settlement.waitMs],
    );
    if (rowCount !== 1) return;
    if (settlement.sentIds.length > 0) {
      await client.query('DELETE FROM outbox WHERE outbox_id = ANY($1::bigint[])', [settlement.sentIds]);
    }
    for (const { outboxIds, error } of settlement.refused) {
      await client.query(
        `UPDATE outbox SET dead_time = now(), error_code = $2, error_message = $3 WHERE outbox_id = ANY($1::bigint[])`,
        [outboxIds, error.code, error.message.slice(0, MAX_MESSAGE_LENGTH)],
      );
    }
    if (settlement.failed) {
      const { outboxIds, error } = settlement.failed;
      await client.query(`UPDATE outbox SET error_code = $2, error_message = $3 WHERE outbox_id = ANY($1::bigint[])`, [
        outboxIds,
        error.code,
        error.message.slice(0, MAX_MESSAGE_LENGTH),
      ]);
    }
  });
}

/** Records the server's last answer, which `graft mlflow status` shows. */
export async function recordServerAnswer(
  pool: Pool,
  trackingUri: string,
  failure: { readonly error: EntryError; readonly count: number; readonly waitMs: number } | null,
): Promise<void> {
  if (failure === null) {
    await pool.query(
      `INSERT INTO mlflow_servers (tracking_uri, success_time) VALUES ($1, now())
       ON CONFLICT (tracking_uri) DO UPDATE SET success_time = now(), failure_count = 0, next_try_time = NULL`,
      [trackingUri],
    );
    return;
  }
  await pool.query(
    `INSERT INTO mlflow_servers (tracking_uri, failure_time, failure_count, error_code, error_message, next_try_time)
     VALUES ($1, now(), $2, $3, $4, now() + $5 * interval '1 millisecond')
     ON CONFLICT (tracking_uri) DO UPDATE
        SET failure_time = now(), failure_count = excluded.failure_count, error_code = excluded.error_code,
            error_message = excluded.error_message, next_try_time = excluded.next_try_time`,
    [
      trackingUri,
      failure.count,
      failure.error.code,
      failure.error.message.slice(0, MAX_MESSAGE_LENGTH),
      failure.waitMs,
    ],
  );
}
