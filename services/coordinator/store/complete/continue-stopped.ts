import { lockSearch } from '../rungs/search-row.ts';
import { continueSearch } from '../search/continue-search.ts';
import type { TaskScope } from '../tasks/fence.ts';

/** Reason and cause of runs that their trainer has stopped by a command that no longer holds. They resume at once. */
export const STALE_STOP = { reason: 'stopped by a bound that was changed since', cause: 'BUDGET' } as const;

/** Returns whether a person has continued the sweep's search since the attempt began, so that a command to stop it may be out of date. */
export async function wasContinued({ tx, sweep, task }: TaskScope): Promise<boolean> {
  if (sweep.state !== 'ACTIVE') return false;
  const { rowCount } = await tx.query(
    `SELECT 1 FROM decisions d JOIN attempts a ON a.task_id = $2 AND a.lease_epoch = $3
      WHERE d.sweep_id = $1 AND d.kind IN ('CHANGE_BUDGET', 'EXTEND', 'RETRY_RUN') AND d.create_time >= a.create_time LIMIT 1`,
    [sweep.sweepId, task.taskId, task.leaseEpoch],
  );
  return rowCount !== 0;
}

/** Continues the runs that the end of a search had stopped, which continues since. The caller has locked the sweep. */
export async function continueStopped({ tx, sweep: { sweepId } }: TaskScope): Promise<void> {
  const search = await lockSearch(tx, sweepId);
  if (search !== null) await continueSearch(tx, search, STALE_STOP.reason);
}
