import { withTransaction } from '../../../platform/db/transaction.ts';
import type { Store } from '../store.ts';
import { enqueueSweep } from './resend-sweep.ts';

/** The MLflow run, or its experiment, is gone: what was sent before is gone with it. */
const GONE = 'RESOURCE_DOES_NOT_EXIST';

/**
 * Sends dead letters again; of one sweep, or all where `sweepId` is null. A sweep with runs that MLflow has no more is sent
 * whole.
 *
 * @returns how many entries are to be sent because of it.
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
      const gone = new Set(rows.filter((row) => row.error_code === GONE).map((row) => row.sweep_id));
      let count = rows.filter((row) => !gone.has(row.sweep_id)).length;
      for (const id of [...gone].sort()) count += await enqueueSweep(client, id);
      return count;
    },
    { log: store.log },
  );
}
