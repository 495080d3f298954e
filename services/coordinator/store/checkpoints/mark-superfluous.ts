import type { Stage } from '../../../core/task.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Marks checkpoints of a run's stage that nothing needs any more. Kept: the newest LAST; the newest BEST; the newest BEST
 * that is not newer than the newest LAST (a resumed attempt goes back to LAST, and if the epochs after it turn out worse the
 * second time, that older BEST is the best one again); whatever a task starts from; whatever is pinned.
 */
export async function markSuperfluous(tx: StoreTransaction, runId: string, stage: Stage): Promise<void> {
  await tx.query(
    `WITH stored AS (
       SELECT checkpoint_id, kind, epoch, create_time
         FROM checkpoints WHERE run_id = $1 AND stage = $2 AND state = 'STORED'
     ), last AS (
       SELECT checkpoint_id, epoch FROM stored WHERE kind = 'LAST' ORDER BY epoch DESC, create_time DESC LIMIT 1
     ), newest_best AS (
       SELECT checkpoint_id FROM stored WHERE kind = 'BEST' ORDER BY epoch DESC, create_time DESC LIMIT 1
     ), resumable_best AS (
       SELECT s.checkpoint_id FROM stored s, last
        WHERE s.kind = 'BEST' AND s.epoch <= last.epoch ORDER BY s.epoch DESC, s.create_time DESC LIMIT 1
     )
     UPDATE checkpoints c SET state = 'DELETING'
       FROM stored s
      WHERE c.checkpoint_id = s.checkpoint_id AND NOT c.pinned
        AND c.checkpoint_id NOT IN (SELECT checkpoint_id FROM last)
        AND c.checkpoint_id NOT IN (SELECT checkpoint_id FROM newest_best)
        AND c.checkpoint_id NOT IN (SELECT checkpoint_id FROM resumable_best)
        AND NOT EXISTS (SELECT 1 FROM task_runs tr WHERE tr.source_checkpoint_id = c.checkpoint_id)`,
    [runId, stage],
  );
}
