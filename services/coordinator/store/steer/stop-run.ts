import { IllegalStateError, NotFoundError } from '../../../core/errors.ts';
import { USABLE_RUN_STATES } from '../../../core/states/run-state.ts';
import type { RunState } from '../../../core/states/run-state.ts';
import { LIVE_TASKS } from '../state-sql.ts';
import { moveRuns } from '../move-runs.ts';
import { lockSweep } from '../move-sweep.ts';
import { recordActions } from '../rungs/record-action.ts';
import { endRuns } from '../runs/end-runs.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Ends one run early and keeps its result. A run that no slot works on is STOPPED at once; a running one is STOPPING until its trainer has
 * saved it. Its head continues for other runs that wait for it. Stopping a run that has its result changes nothing: the stop may have come
 * after its last epoch.
 *
 * @param why for people, with the person's reason
 * @throws NotFoundError, IllegalStateError
 */
export async function stopRun(store: Store, runId: string, why: string): Promise<void> {
  const otherSweeps = await inTransaction(
    store,
    async (tx) => {
      const sweep = await lockSweep(tx, await sweepIdOf(tx, runId));
      const state = await lockRun(tx, runId);
      switch (state) {
        case 'QUEUED':
        case 'PAUSED':
          await endRuns(tx, [runId], { to: 'STOPPED', reason: why, cause: 'USER' });
          await recordActions(tx, sweep.sweepId, [{ kind: 'STOP_RUN', runId, reason: why }]);
          await settleSweep({ tx, sweep }, null);
          break;
        case 'RUNNING':
          await moveRuns(tx, [runId], { to: 'STOPPING', reason: why, cause: 'USER' });
          await recordActions(tx, sweep.sweepId, [{ kind: 'STOP_RUN', runId, reason: why }]);
          break;
        case 'STOPPING':
        case 'STOPPED':
        case 'SUCCEEDED':
          break;
        case 'CANCELLED':
        case 'FAILED':
        case 'INFEASIBLE':
          throw new IllegalStateError(
            `run ${runId}`,
            state,
            'stop',
            ['QUEUED', 'RUNNING', 'PAUSED', ...USABLE_RUN_STATES],
            'It has ended, and trains nothing.',
          );
      }
      return [...tx.otherSweeps];
    },
    'steer',
  );
  await settleSweeps(store, otherSweeps);
}

/** Returns the sweep of a run. May be read before any lock, because a run never changes its sweep. @throws NotFoundError */
export async function sweepIdOf(tx: StoreTransaction, runId: string): Promise<string> {
  const { rows } = await tx.query<{ sweep_id: string }>('SELECT sweep_id FROM runs WHERE run_id = $1', [runId]);
  if (rows[0] === undefined) throw new NotFoundError('run', runId);
  return rows[0].sweep_id;
}

/**
 * Locks the live tasks that train a run or its head, then the run, so that a concurrent lease either is seen or takes another task.
 *
 * @throws NotFoundError
 */
async function lockRun(tx: StoreTransaction, runId: string): Promise<RunState> {
  await tx.query(
    `SELECT task_id FROM tasks
      WHERE state IN ${LIVE_TASKS} AND task_id IN (SELECT task_id FROM served_runs WHERE run_id = $1)
      ORDER BY task_id FOR NO KEY UPDATE`,
    [runId],
  );
  const { rows } = await tx.query<{ state: RunState }>('SELECT state FROM runs WHERE run_id = $1 FOR NO KEY UPDATE', [
    runId,
  ]);
  if (rows[0] === undefined) throw new NotFoundError('run', runId);
  return rows[0].state;
}
