import { moveRuns } from '../move-runs.ts';
import { endRuns } from '../runs/end-runs.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { IDLE_RUNS, LIVE_TASKS, TRAINED_STAGE_LIST } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';

interface JudgedRow {
  readonly run_id: string;
  readonly rung: number;
  readonly kind: 'CONTINUE' | 'STOP' | 'PAUSE';
  readonly reason: string;
}

/**
 * Moves runs that no slot works on as they were judged when the head that they share came to a rung: the batch that brought the
 * measurement could not lock them. A run waits at the rung once the head's task has ended, and is stopped at once.
 *
 * @returns whether a run was moved
 */
export async function applyVerdicts(tx: StoreTransaction, { sweepId }: LockedSearch): Promise<boolean> {
  const { rows } = await tx.prepared<JudgedRow>(
    `SELECT r.run_id, v.rung, v.kind, v.reason
       FROM runs r
      CROSS JOIN LATERAL (
        SELECT d.rung, d.kind, d.reason, d.kind = 'STOP' AND g.stage = 'HEAD' AS stops FROM decisions d
          JOIN rungs g ON g.sweep_id = d.sweep_id AND g.rung = d.rung
         WHERE d.run_id = r.run_id AND d.kind IN ('CONTINUE', 'STOP', 'PAUSE')
         ORDER BY stops DESC, d.rung DESC LIMIT 1) v
      WHERE r.sweep_id = $1 AND r.state IN ${IDLE_RUNS} AND r.paused_rung IS NULL
        AND (r.head_run_id IS NOT NULL OR r.rung IS NOT NULL)
        AND CASE v.kind
              WHEN 'STOP' THEN v.stops AND r.head_run_id IS NOT NULL
              WHEN 'CONTINUE' THEN v.rung > coalesce(r.rung, -1)
              ELSE NOT EXISTS (
                SELECT 1 FROM served_runs u JOIN tasks t ON t.task_id = u.task_id
                 WHERE u.run_id = r.run_id AND t.state IN ${LIVE_TASKS} AND t.stage IN ${TRAINED_STAGE_LIST})
            END
      ORDER BY r.run_id`,
    [sweepId],
  );
  if (rows.length === 0) return false;
  await tx.query(
    `WITH locked AS MATERIALIZED (
       SELECT r.run_id, v.rung FROM runs r JOIN unnest($1::text[], $2::int[]) AS v (run_id, rung) ON v.run_id = r.run_id
        ORDER BY r.run_id FOR NO KEY UPDATE OF r)
     UPDATE runs r SET rung = greatest(r.rung, l.rung) FROM locked l WHERE r.run_id = l.run_id`,
    [rows.map(({ run_id }) => run_id), rows.map(({ rung }) => rung)],
  );
  for (const { run_id: runId, rung, kind, reason } of rows) {
    if (kind === 'STOP') await endRuns(tx, [runId], { to: 'STOPPED', reason, cause: 'RULE' });
    if (kind === 'PAUSE') await waitAt(tx, runId, rung, reason);
  }
  return rows.some(({ kind }) => kind !== 'CONTINUE');
}

/** Lets a run wait at a rung, also one that was PAUSED with its sweep. */
async function waitAt(tx: StoreTransaction, runId: string, pausedRung: number, reason: string): Promise<void> {
  tx.addStep('pause');
  await moveRuns(tx, [runId], { to: 'QUEUED', from: ['PAUSED'], reason });
  await moveRuns(tx, [runId], { to: 'PAUSED', from: ['QUEUED'], reason, pausedRung });
}
