import { withTransaction } from '../../../platform/db/transaction.ts';
import type { Store } from '../store.ts';
import { enqueueSweep } from './resend-sweep.ts';

/** MLflow's code when the run or its experiment was deleted, and with it all points that were sent. */
const DELETED = 'RESOURCE_DOES_NOT_EXIST';

/**
 * Queues dead letters again; those of one sweep, or of every sweep when `sweepId` is null. A sweep with runs that MLflow has deleted is
 * resent as a whole.
 *
 * @returns the number of entries that are queued.
 */
export async function retryDeadLetters(store: Store, sweepId: string | null): Promise<number> {
  return withTransaction(
    store.pool,
    async (client) => {
      const { rows } = await client.query<{ sweep_id: string; subject_id: string; error_code: string }>(
        `UPDATE outbox SET dead_time = NULL WHERE dead_time IS NOT NULL AND ($1::text IS NULL OR sweep_id = $1)
         RETURNING sweep_id, coalesce(run_id, sweep_id) AS subject_id, error_code`,
        [sweepId],
      );
      await client.query(
        'UPDATE mlflow_runs SET described = false, failure_count = 0, next_try_time = now() WHERE subject_id = ANY($1::text[])',
        [rows.map((row) => row.subject_id)],
      );
      const deleted = new Set(rows.filter((row) => row.error_code === DELETED).map((row) => row.sweep_id));
      let count = rows.filter((row) => !deleted.has(row.sweep_id)).length;
      for (const id of [...deleted].sort()) count += await enqueueSweep(client, id);
      return count;
    },
    { log: store.log },
  );
}
