import type { Pool } from 'pg';
import type { Stage } from '../../../core/task.ts';
import { canBeBest, rankKey } from '../run-sql.ts';
import { USABLE_RUNS } from '../state-sql.ts';

/** The best run of a sweep and the file of its best checkpoint. */
export interface Winner {
  readonly runId: string;
  readonly checkpointId: string;
  readonly uri: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly stage: Stage;
  readonly epoch: number;
  readonly value: number | null;
  /** Time of saving in milliseconds since 1970. */
  readonly timeMs: number;
}

/**
 * Returns the checkpoint that was tested as the winner's; when nothing was tested, that of the run that
 * the rule of the sweep chose, or of the best one by validation. Returns null when no
 * run has one.
 */
export async function findWinner(pool: Pool, sweepId: string): Promise<Winner | null> {
  const { rows } = await pool.query<Winner>(
    `SELECT r.run_id AS "runId", c.checkpoint_id AS "checkpointId", c.uri, c.sha256, c.size_bytes::float8 AS "sizeBytes",
            c.stage, c.epoch, c.value, floor(extract(epoch FROM c.create_time) * 1000)::float8 AS "timeMs"
       FROM runs r
       JOIN sweeps s ON s.sweep_id = r.sweep_id
       JOIN runs o ON o.run_id = coalesce(r.reused_run_id, r.run_id)
       LEFT JOIN winners w ON w.run_id = r.run_id
       LEFT JOIN test_results t ON t.run_id = r.run_id AND t.role = 'WINNER'
       JOIN checkpoints c
         ON c.state = 'STORED'
        AND CASE WHEN t.run_id IS NOT NULL THEN c.checkpoint_id = t.checkpoint_id
                 ELSE c.run_id = o.run_id AND c.kind = 'BEST' AND c.stage = r.best_stage END
      WHERE r.sweep_id = $1 AND r.state IN ${USABLE_RUNS} AND ${canBeBest('r', 's')}
      ORDER BY t.run_id IS NULL, w.run_id IS NULL, ${rankKey('r', 's')}, c.epoch DESC
      LIMIT 1`,
    [sweepId],
  );
  return rows[0] ?? null;
}
