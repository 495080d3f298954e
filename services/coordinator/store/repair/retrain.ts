import { countTasks } from '../tasks/insert-tasks.ts';
import type { TaskScope } from '../tasks/fence.ts';
import { insertFirst } from '../tasks/insert-first.ts';
import type { DamagedCheckpoint } from './damaged-checkpoint.ts';
import { LIVE_TASKS } from '../state-sql.ts';

/**
 * Inserts a task that retrains the stage of a damaged checkpoint for that run alone, unless there is such a task already. Training is
 * deterministic and a run has the same numbers alone as in a group, so the record ends as it was. Lease epochs continue those of the
 * run's stage, because they distinguish its attempts.
 *
 * @returns the task's identity
 */
export async function retrain(
  { tx, sweep, task }: TaskScope,
  { run_id: runId, stage, task_id: trainedBy, checkpoint_id: checkpointId }: DamagedCheckpoint,
): Promise<string> {
  const { rows } = await tx.query<{ task_id: string; lease_epoch: number; is_live: boolean }>(
    `SELECT t.task_id, t.lease_epoch, t.state IN ${LIVE_TASKS} AS is_live
       FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id
      WHERE tr.run_id = $1 AND t.stage = $2 AND t.task_id <> $3
      ORDER BY is_live DESC, t.lease_epoch DESC`,
    [runId, stage, task.taskId],
  );
  const [first] = rows;
  if (first?.is_live === true) return first.task_id;
  const taskId = `${sweep.sweepId}-a${await countTasks(tx, sweep.sweepId)}`;
  const sets = await tx.query<{ feature_key: string }>(
    'SELECT feature_key FROM task_feature_sets WHERE task_id = $1 ORDER BY feature_key',
    [trainedBy],
  );
  await insertFirst(tx, sweep.sweepId, {
    taskId,
    stage,
    runIds: [runId],
    featureSets: sets.rows.map(({ feature_key }) => ({ key: feature_key })),
    dependsOn: [],
    description: `retrain ${stage} of run ${runId}, whose checkpoint ${checkpointId} was lost or damaged`,
  });
  await tx.query(
    `UPDATE tasks SET lease_epoch = $2, memory_count = (SELECT memory_count FROM tasks WHERE task_id = $3)
      WHERE task_id = $1`,
    [taskId, first?.lease_epoch ?? 0, trainedBy],
  );
  // A fine-tuning starts from the same head as before.
  await tx.query(
    `UPDATE task_runs SET source_checkpoint_id = (
       SELECT o.source_checkpoint_id FROM task_runs o WHERE o.task_id = $3 AND o.run_id = $2)
      WHERE task_id = $1 AND run_id = $2`,
    [taskId, runId, trainedBy],
  );
  return taskId;
}
