import { TASK_STATES, taskStatesBefore } from '../../core/states/task-state.ts';
import type { TaskState } from '../../core/states/task-state.ts';
import type { Stage } from '../../core/task.ts';
import type { StoreTransaction } from './transaction.ts';

export interface MovedTask {
  readonly taskId: string;
  readonly sweepId: string;
  readonly stage: Stage;
}

export interface TaskMove {
  readonly to: TaskState;
  /** Restricts the states that the transition table allows. Default: all of these. */
  readonly from?: readonly TaskState[];
}

/** Moves tasks by compare-and-set, locked in the order of their identities; the others are left alone. Returns those that moved. */
export async function moveTasks(
  tx: StoreTransaction,
  taskIds: readonly string[],
  move: TaskMove,
): Promise<MovedTask[]> {
  if (taskIds.length === 0) return [];
  const allowed = taskStatesBefore(move.to).filter((state) => move.from?.includes(state) ?? true);
  const { rows } = await tx.query<{ task_id: string; sweep_id: string; stage: Stage }>(
    `WITH locked AS MATERIALIZED (
       SELECT task_id FROM tasks WHERE task_id = ANY($1) AND state = ANY($2) ORDER BY task_id FOR NO KEY UPDATE
     )
     UPDATE tasks t
        SET state = $3, end_time = CASE WHEN $4 THEN now() ELSE t.end_time END
       FROM locked WHERE t.task_id = locked.task_id
      RETURNING t.task_id, t.sweep_id, t.stage`,
    [taskIds, allowed, move.to, TASK_STATES.terminal.has(move.to)],
  );
  return rows
    .map((row) => ({ taskId: row.task_id, sweepId: row.sweep_id, stage: row.stage }))
    .sort((a, b) => (a.taskId < b.taskId ? -1 : 1));
}
