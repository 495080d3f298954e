import { insertTasks } from './insert-tasks.ts';
import type { NewTask } from './insert-tasks.ts';
import { moveTasks } from '../move-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Inserts a task of a locked sweep before all others, because it rebuilds what they read: a slot that leased one of them first would
 * only find the same damage.
 */
export async function insertFirst(tx: StoreTransaction, sweepId: string, task: NewTask): Promise<void> {
  await insertTasks(tx, sweepId, [task]);
  await tx.query(
    `UPDATE tasks SET position = (SELECT min(position) FROM tasks WHERE sweep_id = $2) - 1 WHERE task_id = $1`,
    [task.taskId, sweepId],
  );
}

/**
 * Makes tasks of a locked sweep depend on the tasks that rebuild what they read, and moves those that were READY to WAITING. A task whose
 * attempt is about to end is moved by its end.
 */
export async function waitForMakers(
  tx: StoreTransaction,
  taskIds: readonly string[],
  makerIds: readonly string[],
): Promise<void> {
  await tx.query(
    `INSERT INTO task_dependencies (task_id, depends_on_id)
     SELECT t.task_id, m.task_id FROM unnest($1::text[]) AS t (task_id), unnest($2::text[]) AS m (task_id)
      WHERE t.task_id <> m.task_id
     ON CONFLICT DO NOTHING`,
    [taskIds, makerIds],
  );
  await moveTasks(tx, taskIds, { to: 'WAITING', from: ['READY'] });
}
