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

/** STOP: running attempts may save. KILL: their workers are killed. */
export type CancelCommand = 'STOP' | 'KILL';

const ACTIONS = {
  STOP: { verb: 'cancel', participle: 'cancelled' },
  KILL: { verb: 'kill', participle: 'killed' },
} as const satisfies Readonly<Record<CancelCommand, unknown>>;

/**
 * Cancels a sweep. Pending tasks and runs are cancelled at once; running ones are STOPPING until the slot answers or its lease
 * expires (its next heartbeat is answered with the command). Of a cancelled sweep, only the running attempts can still be killed.
 *
 * @throws NotFoundError, IllegalStateError
 */
export async function cancelSweep(
  store: Store,
  sweepId: string,
  command: CancelCommand,
  reason: string,
): Promise<void> {
  const { verb, participle } = ACTIONS[command];
  const otherSweeps = await inTransaction(
    store,
    async (tx) => {
      const { state } = await lockSweep(tx, sweepId);
      if (state === 'CANCELLED') {
        if (command === 'KILL') await commandTasks(tx, await lockLiveTasks(tx, sweepId), command);
        return [];
      }
      if (!(await moveSweep(tx, sweepId, 'CANCELLED', reason))) {
        throw new IllegalStateError(`sweep ${sweepId}`, state, verb, sweepStatesBefore('CANCELLED'));
      }
      const why = `the sweep was ${participle}`;
      await cancelTasks(tx, sweepId, command, why);
      await stopRuns(tx, sweepId, reason === '' ? why : `${why}: ${reason}`);
      await tx.query(
        `UPDATE searches SET end_reason = 'USER', end_time = now() WHERE sweep_id = $1 AND end_reason IS NULL`,
        [sweepId],
      );
      return [...tx.otherSweeps];
    },
    'steer',
  );
  await settleSweeps(store, otherSweeps);
}

/** Locks pending and leased tasks, so that a concurrent lease is waited for and then stopped. Returns their identities. */
async function lockLiveTasks(tx: StoreTransaction, sweepId: string): Promise<string[]> {
  const { rows } = await tx.query<{ task_id: string }>(
    `SELECT task_id FROM tasks
      WHERE sweep_id = $1 AND state IN ${LIVE_TASKS} ORDER BY task_id FOR NO KEY UPDATE`,
    [sweepId],
  );
  return rows.map(({ task_id }) => task_id);
}

/** Commands the leased ones of these tasks. */
async function commandTasks(tx: StoreTransaction, taskIds: readonly string[], command: CancelCommand): Promise<void> {
  await tx.query(`UPDATE tasks SET command = $2 WHERE task_id = ANY($1) AND state IN ${LEASED_TASKS}`, [
    taskIds,
    command,
  ]);
}

/** Cancels pending tasks and commands leased ones. */
async function cancelTasks(
  tx: StoreTransaction,
  sweepId: string,
  command: CancelCommand,
  message: string,
): Promise<void> {
  const taskIds = await lockLiveTasks(tx, sweepId);
  const cancelled = await moveTasks(tx, taskIds, { to: 'CANCELLED', from: ['WAITING', 'READY'] });
  for (const { taskId, stage } of cancelled) {
    tx.emit(sweepId, { kind: 'TASK', taskId, stage, state: 'CANCELLED', trainerId: '', message });
  }
  await commandTasks(tx, taskIds, command);
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
