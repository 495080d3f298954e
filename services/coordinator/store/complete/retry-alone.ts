import type { RetryDecision } from '../../../core/retry.ts';
import { isMachineFault } from '../../../core/machine-fault.ts';
import type { TaskError } from '../../../core/task.ts';
import { recordFault } from '../faults/record-fault.ts';
import { moveRuns } from '../move-runs.ts';
import type { TaskScope } from '../tasks/fence.ts';
import { insertTasks } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Retries a member that failed in a group in a task of its own, which starts from the same checkpoint and trains to the same rung. The
 * run's later tasks depend on it, and so do those of runs that share its head. Its lease epochs continue the group's, because they
 * distinguish the attempts of a run's stage.
 */
export async function retryAlone(
  { tx, task }: TaskScope,
  runId: string,
  error: TaskError,
  decision: Extract<RetryDecision, { action: 'REQUEUE' }>,
): Promise<void> {
  const { errorClass } = error;
  const taskId = `${task.taskId}-${runId.slice(runId.lastIndexOf('-') + 1)}`;
  const { pauseEpoch, rung, featureKeys } = await readGroup(tx, task.taskId);
  await insertTasks(tx, task.sweepId, [
    {
      taskId,
      stage: task.stage,
      runIds: [runId],
      featureSets: featureKeys.map((key) => ({ key })),
      dependsOn: [],
      description: `run ${runId} alone, after it failed in group ${task.taskId}`,
      pauseEpoch,
      rung,
      leaseEpoch: task.leaseEpoch,
    },
  ]);
  await tx.query(
    `UPDATE tasks
        SET not_before_time = now() + $2 * interval '1 millisecond',
            failure_count = $3, infrastructure_count = $4, memory_count = $5
      WHERE task_id = $1`,
    [
      taskId,
      decision.delayMs,
      errorClass === 'COUNTED' ? 1 : 0,
      errorClass === 'INFRASTRUCTURE' && !isMachineFault(error) ? 1 : 0,
      errorClass === 'MEMORY' ? 1 : 0,
    ],
  );
  await tx.query(
    `UPDATE task_runs tr SET source_checkpoint_id = m.source_checkpoint_id
       FROM task_runs m WHERE tr.task_id = $1 AND tr.run_id = $2 AND m.task_id = $3 AND m.run_id = $2`,
    [taskId, runId, task.taskId],
  );
  await tx.query(
    `INSERT INTO task_dependencies (task_id, depends_on_id)
     SELECT DISTINCT t.task_id, $1 FROM tasks t JOIN task_runs tr ON tr.task_id = t.task_id JOIN runs r ON r.run_id = tr.run_id
      WHERE (r.run_id = $2 OR ($3 = 'HEAD' AND r.head_run_id = $2)) AND t.state = 'WAITING'`,
    [taskId, runId, task.stage],
  );
  if (isMachineFault(error)) await recordFault(tx, task, error, taskId);
  await moveRuns(tx, [runId], { to: 'QUEUED', reason: decision.reason });
}

interface Group {
  readonly pauseEpoch: number | null;
  readonly rung: number | null;
  readonly featureKeys: readonly string[];
}

async function readGroup(tx: StoreTransaction, taskId: string): Promise<Group> {
  const { rows } = await tx.query<Group>(
    `SELECT t.pause_epoch AS "pauseEpoch", t.rung,
            ARRAY(SELECT feature_key FROM task_feature_sets WHERE task_id = $1 ORDER BY feature_key) AS "featureKeys"
       FROM tasks t WHERE t.task_id = $1`,
    [taskId],
  );
  const [group] = rows;
  if (group === undefined) throw new Error(`There is no task ${taskId}.`);
  return group;
}
