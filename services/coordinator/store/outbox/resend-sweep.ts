import type { PoolClient } from 'pg';
import { NotFoundError } from '../../../core/errors.ts';
import { SWEEP_STATES } from '../../../core/states/sweep-state.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import { withTransaction } from '../../../platform/db/transaction.ts';
import type { Store } from '../store.ts';

/**
 * Replaces a sweep's outbox entries by entries for its whole content. Needed for a sweep created before the mirror was switched on, or
 * whose MLflow runs were deleted. Runs that MLflow still has are found by their tag; points that it has are not resent.
 *
 * @returns the number of entries.
 * @throws NotFoundError
 */
export async function resendSweep(store: Store, sweepId: string): Promise<number> {
  return withTransaction(store.pool, (client) => enqueueSweep(client, sweepId), { log: store.log });
}

/** Inserts the entries, marked as sent before, because it is unknown which of them MLflow has. */
export async function enqueueSweep(client: PoolClient, sweepId: string): Promise<number> {
  const { rows } = await client.query<{ state: SweepState }>('SELECT state FROM sweeps WHERE sweep_id = $1', [sweepId]);
  if (!rows[0]) throw new NotFoundError('sweep', sweepId);
  // The new fencing number ends any sending in progress.
  await client.query(
    `UPDATE mlflow_runs
        SET tracking_uri = NULL, experiment_id = NULL, mlflow_run_id = NULL, artifact_uri = NULL, described = false,
            failure_count = 0, next_try_time = now(), claim_epoch = claim_epoch + 1, claim_expire_time = NULL
      WHERE sweep_id = $1`,
    [sweepId],
  );
  // An entry that is visible here points at rows that are visible to the next statement; a later entry is kept.
  await client.query('DELETE FROM outbox WHERE sweep_id = $1', [sweepId]);
  const { rowCount } = await client.query(
    `INSERT INTO outbox (sweep_id, kind, run_id, stage, lease_epoch, epochs, attempt_count)
     SELECT $1, 'SWEEP', NULL::text, NULL::text, NULL::int, '{}'::int[], 1
     UNION ALL
     SELECT $1, 'RUN', run_id, NULL, NULL, '{}', 1
       FROM runs WHERE sweep_id = $1 AND (start_time IS NOT NULL OR end_time IS NOT NULL)
     UNION ALL
     SELECT $1, 'METRICS', m.run_id, m.stage, m.lease_epoch, array_agg(DISTINCT m.epoch ORDER BY m.epoch), 1
       FROM runs r JOIN epoch_metrics m ON m.run_id = r.run_id
      WHERE r.sweep_id = $1 GROUP BY m.run_id, m.stage, m.lease_epoch
     UNION ALL
     SELECT $1, 'METRICS', r.run_id, m.stage, m.lease_epoch, array_agg(DISTINCT m.epoch ORDER BY m.epoch), 1
       FROM runs r JOIN epoch_metrics m ON m.run_id = r.reused_run_id AND m.superseded_by IS NULL
      WHERE r.sweep_id = $1 GROUP BY r.run_id, m.stage, m.lease_epoch
     UNION ALL
     SELECT $1, 'METRICS', r.run_id, m.stage, m.lease_epoch, array_agg(DISTINCT m.epoch ORDER BY m.epoch), 1
       FROM runs r
       JOIN runs o ON o.run_id = coalesce(r.reused_run_id, r.run_id)
       JOIN epoch_metrics m ON m.run_id = o.head_run_id AND m.stage = 'HEAD' AND m.superseded_by IS NULL
      WHERE r.sweep_id = $1 GROUP BY r.run_id, m.stage, m.lease_epoch
     UNION ALL
     SELECT $1, 'TEST_RESULT', t.run_id, NULL, NULL, '{}', 1
       FROM runs r JOIN test_results t ON t.run_id = r.run_id WHERE r.sweep_id = $1
     UNION ALL
     SELECT $1, k.kind, NULL, NULL, NULL, '{}', 1 FROM (VALUES ('REPORT'), ('MODEL')) AS k (kind) WHERE $2`,
    [sweepId, SWEEP_STATES.terminal.has(rows[0].state)],
  );
  return rowCount ?? 0;
}
