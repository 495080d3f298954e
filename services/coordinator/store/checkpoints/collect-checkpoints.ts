import type { CheckpointRecord } from '../../../core/records/checkpoint.ts';
import { rankKey } from '../run-sql.ts';
import type { Store } from '../store.ts';
import { CHECKPOINT_COLUMNS, toCheckpoint } from './checkpoint-row.ts';
import type { CheckpointRow } from './checkpoint-row.ts';
import { inTransaction } from '../transaction.ts';
import { lockRetention } from './lock-retention.ts';
import { ENDED_RUNS, ENDED_SWEEPS, LIVE_TASKS, SEARCH_END_CAUSES } from '../state-sql.ts';

/** The reason why a checkpoint is no longer needed. */
export type CollectReason =
  /** The LAST checkpoint of a run that has ended: nothing resumes from it. */
  | 'RUN_ENDED'
  /** The LAST checkpoint of a run that waits at a rung behind the best ones. If it is promoted, it starts again from its head. */
  | 'RUN_WAITS'
  /** The BEST checkpoint of a run that is not among the best of an ended sweep. */
  | 'NOT_AMONG_BEST';

export interface CollectOptions {
  /** null: every sweep. */
  readonly sweepId: string | null;
  /** Number of an ended sweep's best runs whose best checkpoint is kept. */
  readonly keepBest: number;
}

export interface CollectableCheckpoint {
  readonly checkpoint: CheckpointRecord;
  readonly reason: CollectReason;
}

export interface Collectable {
  /** Checkpoints, the largest first, at most `limit`. */
  readonly items: readonly CollectableCheckpoint[];
  readonly count: number;
  readonly sizeBytes: number;
}

/**
 * The checkpoints that retention removes once runs have ended, or wait at rungs behind the `keepPaused` best of their sweep. Runs that the
 * end of a search stopped count as waiting, because an extension continues them. During training, `markSuperfluous` does it. Kept besides the best:
 * the winner's, pinned and tested checkpoints, those that a pending task starts from or resumes, heads that other runs wait for, and results that
 * runs of other sweeps took, as long as these need them.
 */
const COLLECTABLE = `
  WITH ended AS (
    SELECT sweep_id FROM sweeps
     WHERE state IN ${ENDED_SWEEPS} AND ($1::text IS NULL OR sweep_id = $1)
  ), placed AS (
    SELECT coalesce(r.reused_run_id, r.run_id) AS trained_run_id, r.best_stage, r.best_epoch,
           row_number() OVER (PARTITION BY r.sweep_id ORDER BY ${rankKey('r', 's')}) AS place
      FROM sweeps s JOIN runs r ON r.sweep_id = s.sweep_id
     WHERE r.best_value <> 'NaN' AND r.repeat_of IS NULL AND s.state IN ${ENDED_SWEEPS}
       AND ($1::text IS NULL OR s.sweep_id = $1
            OR EXISTS (SELECT 1 FROM runs u JOIN runs o ON o.run_id IN (u.reused_run_id, u.head_run_id)
                        WHERE u.sweep_id = s.sweep_id AND o.sweep_id = $1))
  ), needed AS (
    SELECT trained_run_id, best_stage, best_epoch FROM placed WHERE place <= $2
    UNION
    SELECT coalesce(u.reused_run_id, u.run_id), u.best_stage, u.best_epoch FROM winners w JOIN runs u ON u.run_id = w.run_id
    UNION
    SELECT coalesce(u.reused_run_id, u.run_id), u.best_stage, u.best_epoch
      FROM runs u JOIN sweeps s ON s.sweep_id = u.sweep_id
     WHERE num_nonnulls(u.reused_run_id, u.head_run_id) > 0 AND s.state NOT IN ${ENDED_SWEEPS}
  ), kept AS (
    SELECT b.checkpoint_id
      FROM needed n
      JOIN runs o ON o.run_id = n.trained_run_id
      JOIN checkpoints b ON b.run_id IN (o.run_id, o.head_run_id) AND b.stage = n.best_stage AND b.epoch = n.best_epoch
     WHERE b.kind = 'BEST'
    UNION
    SELECT checkpoint_id FROM test_results
  ), waiting AS (
    SELECT r.run_id, g.stage,
           g.stage = 'FINE_TUNE' AND (q.policy ->> 'keepPaused')::int >= row_number() OVER (
             PARTITION BY r.sweep_id, g.stage
             ORDER BY g.rung DESC,
                      CASE WHEN s.objective_goal = 'maximize' AND e.value <> 'NaN' THEN - e.value ELSE e.value END,
                      e.tie_order, r.run_index) AS is_kept
      FROM runs r
      JOIN sweeps s ON s.sweep_id = r.sweep_id
      JOIN searches q ON q.sweep_id = r.sweep_id
      JOIN rungs g ON g.sweep_id = r.sweep_id AND g.rung = coalesce(r.paused_rung, CASE WHEN r.state = 'STOPPED' THEN r.rung END)
      LEFT JOIN rung_entries e ON e.sweep_id = r.sweep_id AND e.rung = g.rung AND e.run_id = r.run_id
     WHERE (r.state = 'PAUSED' OR r.state = 'STOPPED' AND r.end_cause IN ${SEARCH_END_CAUSES} AND s.state <> 'CANCELLED')
       AND ($1::text IS NULL OR r.sweep_id = $1)
  ), collectable AS (
    SELECT c.checkpoint_id,
           CASE WHEN c.kind <> 'LAST' THEN 'NOT_AMONG_BEST' WHEN r.state = 'PAUSED' THEN 'RUN_WAITS' ELSE 'RUN_ENDED' END AS reason
      FROM checkpoints c JOIN runs r ON r.run_id = c.run_id
     WHERE c.state = 'STORED' AND NOT c.pinned AND ($1::text IS NULL OR r.sweep_id = $1)
       AND CASE c.kind
             WHEN 'LAST' THEN (r.state IN ${ENDED_RUNS} OR EXISTS (SELECT 1 FROM waiting w WHERE w.run_id = c.run_id))
               AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.run_id = c.run_id AND w.is_kept AND w.stage = c.stage)
             ELSE r.sweep_id IN (SELECT sweep_id FROM ended)
           END
       AND c.checkpoint_id NOT IN (SELECT checkpoint_id FROM kept)
       AND NOT EXISTS (
         SELECT 1 FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id
          WHERE (tr.run_id = c.run_id OR tr.source_checkpoint_id = c.checkpoint_id)
            AND t.state IN ${LIVE_TASKS})
       AND NOT EXISTS (
         SELECT 1 FROM runs f WHERE f.head_run_id = c.run_id
            AND f.state NOT IN ${ENDED_RUNS})
  )`;

/** Finds the checkpoints that `markCollectable` would mark; changes nothing. */
export async function findCollectable(store: Store, options: CollectOptions, limit: number): Promise<Collectable> {
  const { rows } = await store.pool.query<
    CheckpointRow & { readonly reason: CollectReason; readonly total_count: number; readonly total_bytes: string }
  >(
    `${COLLECTABLE}
     SELECT ${CHECKPOINT_COLUMNS}, d.reason, count(*) OVER ()::int AS total_count, sum(c.size_bytes) OVER ()::text AS total_bytes
       FROM collectable d JOIN checkpoints c ON c.checkpoint_id = d.checkpoint_id
      ORDER BY c.size_bytes DESC, c.checkpoint_id
      LIMIT $3`,
    [options.sweepId, options.keepBest, limit],
  );
  return {
    items: rows.map((row) => ({ checkpoint: toCheckpoint(row), reason: row.reason })),
    count: rows[0]?.total_count ?? 0,
    sizeBytes: Number(rows[0]?.total_bytes ?? 0),
  };
}

/** Marks collectable checkpoints DELETING, the first phase of retention. @returns their number */
export async function markCollectable(store: Store, options: CollectOptions): Promise<number> {
  return inTransaction(store, async (tx) => {
    await lockRetention(tx, 'exclusive');
    const { rowCount } = await tx.query(
      `${COLLECTABLE}
       UPDATE checkpoints c SET state = 'DELETING'
         FROM collectable d
        WHERE c.checkpoint_id = d.checkpoint_id AND c.state = 'STORED'`,
      [options.sweepId, options.keepBest],
    );
    return rowCount ?? 0;
  });
}
