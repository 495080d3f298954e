import type { StoreTransaction } from '../transaction.ts';
import type { FencedTask } from './fence.ts';

/** The first sign of life under a lease makes the task and its attempt RUNNING; later ones change nothing. */
export async function markRunning(tx: StoreTransaction, task: FencedTask): Promise<void> {
  if (task.state === 'RUNNING') return;
  await tx.query(`UPDATE tasks SET state = 'RUNNING' WHERE task_id = $1`, [task.taskId]);
  await tx.query(`UPDATE attempts SET state = 'RUNNING' WHERE task_id = $1 AND lease_epoch = $2 AND state = 'LEASED'`, [
    task.taskId,
    task.leaseEpoch,
  ]);
}
