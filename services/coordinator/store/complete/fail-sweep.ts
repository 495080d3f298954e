import { moveSweep } from '../move-sweep.ts';
import { moveTasks } from '../move-tasks.ts';
import { endRuns } from '../runs/end-runs.ts';
import type { StoreTransaction } from '../transaction.ts';
import { LIVE_RUNS, PENDING_TASKS } from '../state-sql.ts';

/** Fails a locked sweep whose data set can't be read, with its live runs, and cancels its pending tasks. */
export async function failSweep(tx: StoreTransaction, sweepId: string, reason: string): Promise<void> {
  const tasks = await tx.query<{ task_id: string }>(
    `SELECT task_id FROM tasks WHERE sweep_id = $1 AND state IN ${PENDING_TASKS} ORDER BY task_id`,
    [sweepId],
  );
  const taskIds = tasks.rows.map(({ task_id }) => task_id);
  for (const { taskId, stage } of await moveTasks(tx, taskIds, { to: 'CANCELLED', from: ['WAITING', 'READY'] })) {
    tx.emit(sweepId, { kind: 'TASK', taskId, stage, state: 'CANCELLED', trainerId: '', message: reason });
  }
  const runs = await tx.query<{ run_id: string }>(
    `SELECT run_id FROM runs
      WHERE sweep_id = $1 AND state IN ${LIVE_RUNS} ORDER BY run_id`,
    [sweepId],
  );
  await endRuns(
    tx,
    runs.rows.map(({ run_id }) => run_id),
    { to: 'FAILED', reason },
  );
  await moveSweep(tx, sweepId, 'FAILED', reason);
}
