import type { FencedTask } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';

/** Remembers the other sweeps that wait for this task's feature sets or manifest; they are settled after the commit. */
export async function noteOtherSweeps(tx: StoreTransaction, task: FencedTask): Promise<void> {
  if (task.stage !== 'FEATURES' && task.stage !== 'INDEX') return;
  const { rows } = await tx.query<{ sweep_id: string }>(
    `SELECT DISTINCT t.sweep_id
       FROM task_dependencies d JOIN tasks t ON t.task_id = d.task_id
      WHERE d.depends_on_id = $1 AND t.sweep_id <> $2 AND t.state = 'WAITING'`,
    [task.taskId, task.sweepId],
  );
  for (const { sweep_id } of rows) tx.otherSweeps.add(sweep_id);
}
