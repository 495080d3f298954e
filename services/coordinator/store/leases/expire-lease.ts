import type { TaskError } from '../../../core/task.ts';
import { lockSweepOfTask } from '../move-sweep.ts';
import { endWithError } from '../complete/end-with-error.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import { lockLease } from '../tasks/fence.ts';
import { LEASED_TASKS } from '../state-sql.ts';

export interface LiveLease {
  readonly taskId: string;
  readonly leaseEpoch: number;
}

/** Finds leases that have expired by the database's clock, oldest first. */
export async function findExpiredLeases(store: Store, limit: number): Promise<LiveLease[]> {
  const { rows } = await store.pool.query<{ task_id: string; lease_epoch: number }>(
    `SELECT task_id, lease_epoch FROM tasks
      WHERE state IN ${LEASED_TASKS} AND lease_expire_time < now()
      ORDER BY lease_expire_time LIMIT $1`,
    [limit],
  );
  return rows.map((row) => ({ taskId: row.task_id, leaseEpoch: row.lease_epoch }));
}

/**
 * Ends a lease if it was not renewed for `silentMs` at the moment when its row is locked. Returns false when it was renewed, or when
 * the attempt has ended.
 *
 * @param why the evidence that no process works on the task, for the record
 */
export async function expireLease(store: Store, lease: LiveLease, why: string, silentMs: number): Promise<boolean> {
  const result = await inTransaction(store, async (tx) => {
    const sweep = await lockSweepOfTask(tx, lease);
    const { rowCount } = await tx.query(
      `SELECT 1 FROM tasks
        WHERE task_id = $1 AND lease_epoch = $2 AND state IN ${LEASED_TASKS}
          AND lease_expire_time < now() + ($3::float8 - $4::float8) * interval '1 millisecond'
          FOR NO KEY UPDATE`,
      [lease.taskId, lease.leaseEpoch, store.leaseMs, silentMs],
    );
    if (rowCount !== 1) return null;
    const task = await lockLease(tx, lease);
    if (task === null) return null;
    const message = `${why} (trainer ${task.trainerId}, lease ${lease.leaseEpoch})`;
    const error: TaskError = { errorClass: 'INFRASTRUCTURE', code: 'LEASE_EXPIRED', message, datasetProblems: [] };
    await endWithError({ tx, sweep, task }, error, 'EXPIRED');
    return [...tx.otherSweeps];
  });
  if (result === null) return false;
  await settleSweeps(store, result);
  return true;
}

/**
 * Extends all live leases by one lease length, so that an outage of coordinator or database longer than a lease does not expire them
 * all: trainers get that time to reconnect. @returns the number of leases
 */
export async function extendLiveLeases(store: Store): Promise<number> {
  const { rowCount } = await store.pool.query(
    `WITH live AS MATERIALIZED (
       SELECT task_id FROM tasks WHERE state IN ${LEASED_TASKS} ORDER BY task_id FOR NO KEY UPDATE
     )
     UPDATE tasks t
        SET lease_expire_time = greatest(t.lease_expire_time, now() + $1 * interval '1 millisecond')
       FROM live WHERE t.task_id = live.task_id`,
    [store.leaseMs],
  );
  return rowCount ?? 0;
}
