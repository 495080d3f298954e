import { LeaseLostError } from '../../../core/errors.ts';
import type { AttemptState } from '../../../core/states/attempt-state.ts';
import type { Stage } from '../../../core/task.ts';
import type { StoreTransaction } from '../transaction.ts';

/** A task whose lease has been checked and whose row is locked until the end of the transaction. */
export interface FencedTask {
  readonly taskId: string;
  readonly leaseEpoch: number;
  readonly sweepId: string;
  readonly stage: Stage;
  readonly state: 'LEASED' | 'RUNNING';
  readonly trainerId: string;
}

/**
 * The fence of every write of a trainer: the lease epoch must be the present one and the task must be live. The lock keeps
 * the reaper and the next lease out until this transaction ends. A lease that is over by the clock but that nobody has
 * taken back yet still counts: the row lock decides who comes first.
 *
 * @throws LeaseLostError also for a task that does not exist: the caller must stop either way.
 */
export async function fence(tx: StoreTransaction, taskId: string, leaseEpoch: number): Promise<FencedTask> {
  const task = await tryFence(tx, taskId, leaseEpoch);
  if (task === null) throw new LeaseLostError(taskId, leaseEpoch);
  return task;
}

/** How the attempt of a lease stands; null where there was none. */
export async function attemptStateOf(
  tx: StoreTransaction,
  taskId: string,
  leaseEpoch: number,
): Promise<AttemptState | null> {
  const { rows } = await tx.query<{ state: AttemptState }>(
    'SELECT state FROM attempts WHERE task_id = $1 AND lease_epoch = $2',
    [taskId, leaseEpoch],
  );
  return rows[0]?.state ?? null;
}

/** `fence` for callers to whom a lease that is over may be no error; null then. */
export async function tryFence(tx: StoreTransaction, taskId: string, leaseEpoch: number): Promise<FencedTask | null> {
  const { rows } = await tx.prepared<{
    sweep_id: string;
    stage: Stage;
    state: 'LEASED' | 'RUNNING';
    trainer_id: string;
  }>(
    `SELECT sweep_id, stage, state, trainer_id
       FROM tasks
      WHERE task_id = $1 AND lease_epoch = $2 AND state IN ('LEASED', 'RUNNING')
        FOR NO KEY UPDATE`,
    [taskId, leaseEpoch],
  );
  const row = rows[0];
  if (!row) return null;
  return {
    taskId,
    leaseEpoch,
    sweepId: row.sweep_id,
    stage: row.stage,
    state: row.state,
    trainerId: row.trainer_id,
  };
}
