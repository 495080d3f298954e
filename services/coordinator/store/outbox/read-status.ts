import type { Pool } from 'pg';
import type { MlflowStatusRecord } from '../../../core/records/mlflow.ts';

/** Reads how many entries wait or were refused, and the server's last answer. */
export async function readMlflowStatus(pool: Pool, trackingUri: string | null): Promise<MlflowStatusRecord> {
  const { rows } = await pool.query<Omit<MlflowStatusRecord, 'trackingUri'>>(
    `SELECT p.entries AS "pendingEntryCount", p.subjects AS "pendingSubjectCount", p.oldest AS "oldestPendingTime",
            (SELECT count(*)::int FROM outbox WHERE dead_time IS NOT NULL) AS "deadLetterCount",
            s.success_time AS "successTime", s.failure_time AS "failureTime", coalesce(s.failure_count, 0) AS "failureCount",
            coalesce(s.error_code, '') AS "errorCode", coalesce(s.error_message, '') AS "errorMessage",
            s.next_try_time AS "nextTryTime"
       FROM (SELECT count(*)::int AS entries, count(DISTINCT coalesce(run_id, sweep_id))::int AS subjects,
                    min(create_time) AS oldest
               FROM outbox WHERE dead_time IS NULL) p
       LEFT JOIN mlflow_servers s ON s.tracking_uri = $1`,
    [trackingUri],
  );
  const row = rows[0];
  if (!row) throw new Error('An aggregate without groups returned no row.');
  return { trackingUri, ...row };
}
