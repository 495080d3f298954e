import type { ObjectiveGoal } from '../../../core/objective.ts';
import type { Stage } from '../../../core/task.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Pins the checkpoint from which each run of the task starts: the best of HEAD for FINE_TUNE, the best over all stages for EVALUATE. HEAD is
 * that of the run whose head is shared; a result that was taken from another sweep is that of the run that trained it. The source stays
 * the same for all attempts, so that a retry does the same work, and retention keeps the file.
 */
export async function pinSources(
  tx: StoreTransaction,
  taskId: string,
  stage: Stage,
  goal: ObjectiveGoal,
): Promise<void> {
  if (stage !== 'FINE_TUNE' && stage !== 'EVALUATE') return;
  await tx.query(
    `UPDATE task_runs tr
        SET source_checkpoint_id = (
          SELECT c.checkpoint_id
            FROM runs r
            JOIN runs o ON o.run_id = coalesce(r.reused_run_id, r.run_id)
            JOIN checkpoints c ON c.run_id = o.run_id OR (c.run_id = o.head_run_id AND c.stage = 'HEAD')
           WHERE r.run_id = tr.run_id AND c.kind = 'BEST' AND c.state = 'STORED'
             AND ($2 = 'EVALUATE' OR c.stage = 'HEAD')
           ORDER BY ($2 = 'EVALUATE' AND c.stage = r.best_stage AND c.epoch = r.best_epoch) DESC,
                    CASE WHEN $3 = 'minimize' THEN c.value ELSE -c.value END ASC NULLS LAST,
                    c.epoch DESC, c.create_time DESC
           LIMIT 1)
      WHERE tr.task_id = $1 AND tr.source_checkpoint_id IS NULL`,
    [taskId, stage, goal],
  );
}
