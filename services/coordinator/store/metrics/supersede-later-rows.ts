import type { Stage } from '../../../core/task.ts';
import { isResumable } from '../run-sql.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Supersedes the metrics of earlier attempts after the resume checkpoint, because the new attempt retrains these epochs. Rows are
 * flagged, never deleted. BEST checkpoints of these epochs are marked for removal as well.
 */
export async function supersedeLaterRows(
  tx: StoreTransaction,
  taskId: string,
  stage: Stage,
  leaseEpoch: number,
): Promise<void> {
  const values = [taskId, stage];
  await tx.query(
    `UPDATE epoch_metrics m SET superseded_by = $3
       FROM (${RESUME_POINTS}) resume
      WHERE m.run_id = resume.run_id AND m.stage = $2 AND m.epoch > resume.epoch
        AND m.superseded_by IS NULL AND m.lease_epoch < $3`,
    [...values, leaseEpoch],
  );
  await tx.query(
    `UPDATE checkpoints c SET state = 'DELETING'
       FROM (${RESUME_POINTS}) resume
      WHERE c.run_id = resume.run_id AND c.stage = $2 AND c.kind = 'BEST' AND c.state = 'STORED'
        AND c.epoch > resume.epoch`,
    values,
  );
}

/** Epoch after which each run of the task resumes; 0 for a run without a checkpoint in the stage. */
const RESUME_POINTS = `
  SELECT tr.run_id, coalesce(max(c.epoch), 0) AS epoch
    FROM task_runs tr
    LEFT JOIN checkpoints c
      ON c.run_id = tr.run_id AND c.stage = $2 AND ${isResumable('c')}
   WHERE tr.task_id = $1
   GROUP BY tr.run_id`;
