import { LeaseLostError } from '../../../core/errors.ts';
import type { AttemptState } from '../../../core/states/attempt-state.ts';
import type { Stage } from '../../../core/task.ts';
import { LeaseNotHeldError } from '../../../core/trainer-errors.ts';
import type { SweepScope } from '../move-sweep.ts';
import { addAttemptStarts } from '../move-attempts.ts';
import type { StoreTransaction } from '../transaction.ts';
import { LEASED_TASKS } from '../state-sql.ts';

/** A lease and the caller's proof that it is the holder. */
export interface LeaseClaim {
  readonly taskId: string;
  readonly leaseEpoch: number;
  readonly trainerId: string;
  /** Hash of the secret in LeaseTask's answer, hexadecimal; empty: none was sent. */
  readonly secretHash: string;
}

/** A task whose lease has been checked and whose row is locked until the end of the transaction. */
export interface FencedTask {
  readonly taskId: string;
  readonly leaseEpoch: number;
  readonly sweepId: string;
  readonly stage: Stage;
  readonly state: 'LEASED' | 'RUNNING';
  readonly trainerId: string;
}

/** A locked sweep and the locked task of it whose lease has been checked. */
export interface TaskScope extends SweepScope {
  readonly task: FencedTask;
}

/**
 * Returns SQL of whether the holder of attempt `a` is the caller. Attempts of trainers older than secrets have no hash: such a trainer
 * sends no secret, and a trainer_id only in heartbeats.
 *
 * @param trainerId, secretHash SQL of the caller's
 */
export function isHolder(trainerId: string, secretHash: string): string {
  return `CASE WHEN a.lease_secret_hash IS NULL THEN ${secretHash} = '' AND ${trainerId} IN ('', a.trainer_id)
               ELSE a.lease_secret_hash = ${secretHash} AND a.trainer_id = ${trainerId} END`;
}

/**
 * Fences a write of a trainer: the lease epoch must be current, the task live, and the caller the holder of the lease. The lock
 * excludes the reaper and the next lease until this transaction ends. A lease that has expired by the clock but was not reaped yet is
 * still valid: the row lock decides which comes first.
 *
 * @throws LeaseLostError, also for an unknown task: the caller must stop either way; LeaseNotHeldError
 */
export async function fence(tx: StoreTransaction, claim: LeaseClaim): Promise<FencedTask> {
  const task = await tryFence(tx, claim);
  if (task === null) throw new LeaseLostError(claim.taskId, claim.leaseEpoch);
  return task;
}

/**
 * Returns the state of a lease's attempt; null when there was none.
 *
 * @throws LeaseNotHeldError
 */
export async function attemptStateOf(tx: StoreTransaction, claim: LeaseClaim): Promise<AttemptState | null> {
  const { taskId, leaseEpoch, trainerId, secretHash } = claim;
  const { rows } = await tx.query<{ state: AttemptState; is_held: boolean }>(
    `SELECT a.state, ${isHolder('$3', '$4')} AS is_held FROM attempts a WHERE a.task_id = $1 AND a.lease_epoch = $2`,
    [taskId, leaseEpoch, trainerId, secretHash],
  );
  const row = rows[0];
  if (row?.is_held === false) throw new LeaseNotHeldError(taskId, leaseEpoch);
  return row?.state ?? null;
}

/** Fences like `fence`, but returns null for a lease that is over. @throws LeaseNotHeldError */
export async function tryFence(tx: StoreTransaction, claim: LeaseClaim): Promise<FencedTask | null> {
  const { taskId, leaseEpoch, trainerId, secretHash } = claim;
  const { rows } = await tx.prepared<TaskRow & { readonly is_held: boolean }>(
    `SELECT t.sweep_id, t.stage, t.state, t.trainer_id, ${isHolder('$3', '$4')} AS is_held
       FROM tasks t JOIN attempts a ON a.task_id = t.task_id AND a.lease_epoch = t.lease_epoch
      WHERE t.task_id = $1 AND t.lease_epoch = $2 AND t.state IN ${LEASED_TASKS}
        FOR NO KEY UPDATE OF t`,
    [taskId, leaseEpoch, trainerId, secretHash],
  );
  const row = rows[0];
  if (!row) return null;
  if (!row.is_held) throw new LeaseNotHeldError(taskId, leaseEpoch);
  return toFenced(claim, row);
}

/** Fences a write of the coordinator itself, which ends leases that it granted. Returns null for a lease that is over. */
export async function lockLease(
  tx: StoreTransaction,
  lease: Pick<LeaseClaim, 'taskId' | 'leaseEpoch'>,
): Promise<FencedTask | null> {
  const { rows } = await tx.query<TaskRow>(
    `SELECT sweep_id, stage, state, trainer_id FROM tasks
      WHERE task_id = $1 AND lease_epoch = $2 AND state IN ${LEASED_TASKS} FOR NO KEY UPDATE`,
    [lease.taskId, lease.leaseEpoch],
  );
  return rows[0] ? toFenced(lease, rows[0]) : null;
}

/** The columns of a live task that make a `FencedTask`. */
export interface TaskRow {
  readonly sweep_id: string;
  readonly stage: Stage;
  readonly state: 'LEASED' | 'RUNNING';
  readonly trainer_id: string;
}

export function toFenced({ taskId, leaseEpoch }: Pick<LeaseClaim, 'taskId' | 'leaseEpoch'>, row: TaskRow): FencedTask {
  const { sweep_id: sweepId, stage, state, trainer_id: trainerId } = row;
  return { taskId, leaseEpoch, sweepId, stage, state, trainerId };
}

/** Moves a task and its attempt to RUNNING at the first report under a lease; later reports change nothing. */
export async function markRunning(tx: StoreTransaction, task: FencedTask): Promise<void> {
  if (task.state === 'RUNNING') return;
  const batch = tx.batch();
  batch.query(`UPDATE tasks SET state = 'RUNNING' WHERE task_id = $1`, [task.taskId]);
  addAttemptStarts(batch, [task]);
  await batch.send();
}
