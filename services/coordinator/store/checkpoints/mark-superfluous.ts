import type { Stage } from '../../../core/task.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Marks the checkpoints of a run's stage that are no longer needed. Kept: the latest LAST; the latest BEST; the latest BEST of an epoch
 * not after that LAST; sources of tasks; pinned checkpoints. The older BEST is needed because a resumed attempt restarts from LAST: if
 * the epochs after it are worse the second time, that BEST is the best one again.
 */
export async function markSuperfluous(tx: StoreTransaction, runId: string, stage: Stage): Promise<void> {
  await tx.query(
    `WITH stored AS (
       SELECT checkpoint_id, kind, epoch, create_time
         FROM checkpoints WHERE run_id = $1 AND stage = $2 AND state = 'STORED'
     ), last AS (
       SELECT checkpoint_id, epoch FROM stored WHERE kind = 'LAST' ORDER BY epoch DESC, create_time DESC LIMIT 1
     ), latest_best AS (
       SELECT checkpoint_id FROM stored WHERE kind = 'BEST' ORDER BY epoch DESC, create_time DESC LIMIT 1
     ), resumable_best AS (
       SELECT s.checkpoint_id FROM stored s, last
        WHERE s.kind = 'BEST' AND s.epoch <= last.epoch ORDER BY s.epoch DESC, s.create_time DESC LIMIT 1
     )
     UPDATE checkpoints c SET state = 'DELETING'
       FROM stored s
      WHERE c.checkpoint_id = s.checkpoint_id AND NOT c.pinned
        AND c.checkpoint_id NOT IN (SELECT checkpoint_id FROM last)
        AND c.checkpoint_id NOT IN (SELECT checkpoint_id FROM latest_best)
        AND c.checkpoint_id NOT IN (SELECT checkpoint_id FROM resumable_best)
        AND NOT EXISTS (SELECT 1 FROM task_runs tr WHERE tr.source_checkpoint_id = c.checkpoint_id)`,
    [runId, stage],
  );
}
