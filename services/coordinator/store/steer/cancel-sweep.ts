import { IllegalStateError } from '../../../core/errors.ts';
import { sweepStatesBefore } from '../../../core/states/sweep-state.ts';
import { moveRuns } from '../move-runs.ts';
import { lockSweep, moveSweep } from '../move-sweep.ts';
import { moveTasks } from '../move-tasks.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import { runIdsIn } from './pause-sweep.ts';
import { LEASED_TASKS, LIVE_TASKS } from '../state-sql.ts';

/**
 * Cancels a sweep. Pending tasks and runs are cancelled at once; running ones are STOPPING until the slot answers or its lease
 * expires (its next heartbeat is answered with STOP). Cancelling a cancelled sweep changes nothing.
 *
 * @throws NotFoundError, IllegalStateError
 */
export async function cancelSweep(store: Store, sweepId: string, reason: string): Promise<void> {
  const otherSweeps = await inTransaction(store, async (tx) => {
    const { state } = await lockSweep(tx, sweepId);
    if (state === 'CANCELLED') return [];
    if (!(await moveSweep(tx, sweepId, 'CANCELLED', reason))) {
      throw new IllegalStateError(`sweep ${sweepId}`, state, 'cancel', sweepStatesBefore('CANCELLED'));
    }
    await cancelTasks(tx, sweepId);
    await stopRuns(tx, sweepId, reason === '' ? 'the sweep was cancelled' : `the sweep was cancelled: ${reason}`);
    return [...tx.otherSweeps];
  });
  await settleSweeps(store, otherSweeps);
}

/** Cancels pending tasks and commands live ones to stop. Locks both, so that a concurrent lease is waited for and then stopped. */
async function cancelTasks(tx: StoreTransaction, sweepId: string): Promise<void> {
  const { rows } = await tx.query<{ task_id: string }>(
    `SELECT task_id FROM tasks
      WHERE sweep_id = $1 AND state IN ${LIVE_TASKS} ORDER BY task_id FOR NO KEY UPDATE`,
    [sweepId],
  );
  const taskIds = rows.map(({ task_id }) => task_id);
  const cancelled = await moveTasks(tx, taskIds, { to: 'CANCELLED', from: ['WAITING', 'READY'] });
  for (const { taskId, stage } of cancelled) {
    const message = 'the sweep was cancelled';
    tx.emit(sweepId, { kind: 'TASK', taskId, stage, state: 'CANCELLED', trainerId: '', message });
  }
  await tx.query(`UPDATE tasks SET command = 'STOP' WHERE task_id = ANY($1) AND state IN ${LEASED_TASKS}`, [taskIds]);
  const waiting = await tx.query<{ sweep_id: string }>(
    `SELECT DISTINCT t.sweep_id FROM task_dependencies d JOIN tasks t ON t.task_id = d.task_id
      WHERE d.depends_on_id = ANY($1) AND t.sweep_id <> $2 AND t.state = 'WAITING'`,
    [taskIds, sweepId],
  );
  for (const { sweep_id } of waiting.rows) tx.otherSweeps.add(sweep_id);
}

async function stopRuns(tx: StoreTransaction, sweepId: string, reason: string): Promise<void> {
  await moveRuns(tx, await runIdsIn(tx, sweepId, ['QUEUED', 'PAUSED']), { to: 'CANCELLED', reason });
  await moveRuns(tx, await runIdsIn(tx, sweepId, ['RUNNING']), { to: 'STOPPING', reason });
}
