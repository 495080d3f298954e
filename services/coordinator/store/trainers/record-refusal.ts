import type { TaskError } from '../../../core/task.ts';
import { lockSweepOfTask } from '../move-sweep.ts';
import { endWithError } from '../complete/end-with-error.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import type { Store } from '../store.ts';
import { isHolder, lockLease } from '../tasks/fence.ts';
import type { LeaseClaim } from '../tasks/fence.ts';
import { inTransaction } from '../transaction.ts';
import { LEASED_TASKS } from '../state-sql.ts';

/** Number of refused reports after which a trainer gets no more tasks: it is broken, or it lies. */
const MAX_REFUSALS = 3;

/**
 * Counts a refused report against the trainer that sent it, and drains the trainer at the third one; its tasks are requeued uncounted.
 * Has no effect when the caller does not hold the lease that it names: otherwise one trainer could drain another.
 *
 * @param why the first violation, for people
 */
export async function recordRefusal(store: Store, claim: LeaseClaim, why: string): Promise<void> {
  const { taskId, leaseEpoch, trainerId, secretHash } = claim;
  const { rows } = await store.pool.query<{ trainer_id: string; refusal_count: number; is_drained: boolean }>(
    `UPDATE trainers tr
        SET refusal_count = tr.refusal_count + 1,
            drain_reason = CASE WHEN tr.refusal_count + 1 >= $5 THEN coalesce(tr.drain_reason, $6) ELSE tr.drain_reason END,
            state = CASE WHEN tr.refusal_count + 1 >= $5 AND tr.state = 'READY' THEN 'DRAINING' ELSE tr.state END
       FROM attempts a
      WHERE a.task_id = $1 AND a.lease_epoch = $2 AND tr.trainer_id = a.trainer_id AND ${isHolder('$3', '$4')}
      RETURNING tr.trainer_id, tr.refusal_count, tr.drain_reason IS NOT NULL AS is_drained`,
    [taskId, leaseEpoch, trainerId, secretHash, MAX_REFUSALS, `${MAX_REFUSALS} of its reports were refused: ${why}`],
  );
  const row = rows[0];
  if (row === undefined) return;
  store.log.warn({ trainer_id: row.trainer_id, task_id: taskId, refusals: row.refusal_count, why }, 'report refused');
  if (row.is_drained) await revokeLeases(store, row.trainer_id);
}

async function revokeLeases(store: Store, trainerId: string): Promise<void> {
  const { rows } = await store.pool.query<{ task_id: string; lease_epoch: number }>(
    `SELECT task_id, lease_epoch FROM tasks
      WHERE trainer_id = $1 AND state IN ${LEASED_TASKS} ORDER BY task_id`,
    [trainerId],
  );
  for (const row of rows) await revokeLease(store, { taskId: row.task_id, leaseEpoch: row.lease_epoch });
}

async function revokeLease(store: Store, lease: Pick<LeaseClaim, 'taskId' | 'leaseEpoch'>): Promise<void> {
  const otherSweeps = await inTransaction(store, async (tx) => {
    const sweep = await lockSweepOfTask(tx, lease);
    const task = await lockLease(tx, lease);
    if (task === null) return [];
    const message = `taken from trainer ${task.trainerId}, which was drained after ${MAX_REFUSALS} refused reports`;
    const error: TaskError = { errorClass: 'INFRASTRUCTURE', code: 'TRAINER_DRAINED', message, datasetProblems: [] };
    await endWithError({ tx, sweep, task }, error, 'RELEASED');
    return [...tx.otherSweeps];
  });
  await settleSweeps(store, otherSweeps);
}
