import type { Pool } from 'pg';
import type { DeadLetterRecord } from '../../../core/records/mlflow.ts';
import type { Page } from '../page.ts';

/** Lists dead letters after `after`, oldest first; those of one sweep, or of every sweep when `sweepId` is null. */
export async function listDeadLetters(
  pool: Pool,
  sweepId: string | null,
  after: { readonly entryId: string } | null,
  limit: number,
): Promise<Page<DeadLetterRecord, { readonly entryId: string }>> {
  const { rows } = await pool.query<Omit<DeadLetterRecord, 'entryId'> & { readonly entryId: string }>(
    `SELECT outbox_id::text AS "entryId", sweep_id AS "sweepId", run_id AS "runId", kind, error_code AS "errorCode",
            error_message AS "errorMessage", attempt_count AS "attemptCount", dead_time AS "deadTime"
       FROM outbox
      WHERE dead_time IS NOT NULL AND outbox_id > $1 AND ($2::text IS NULL OR sweep_id = $2)
      ORDER BY outbox_id LIMIT $3`,
    [after?.entryId ?? '0', sweepId, limit + 1],
  );
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const items = shown.map((row) => ({ ...row, entryId: BigInt(row.entryId) }));
  return { items, next: rows.length > limit && last ? { entryId: last.entryId } : null };
}
