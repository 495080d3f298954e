import { LeaseLostError, TrainerUnknownError } from '../../../core/errors.ts';
import { microBatchDivisorAfter } from '../../../core/retry.ts';
import type { AttemptState } from '../../../core/states/attempt-state.ts';
import type { LeasedTask } from '../../../core/task.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { Store } from '../store.ts';
import { expireLease } from './expire-lease.ts';
import { noteTooLarge } from './note-too-large.ts';
import { pickTask } from './pick-task.ts';
import { prepareRuns } from './prepare-runs.ts';
import { readLeasedTask } from './read-leased-task.ts';

export interface LeaseRequest {
  readonly requestId: string;
  readonly trainerId: string;
  readonly slotIndex: number;
  readonly heldFeatureKeys: readonly string[];
}

/**
 * Gives a slot the next ready task, or null when none is ready. Idempotent by (trainer, slot, request id): while the lease
 * lives, the same request gets the same task, and the lease is renewed. A request whose lease has expired before its answer
 * arrived gets a new lease.
 *
 * @throws TrainerUnknownError when the trainer or the slot is not registered; LeaseLostError when the request's attempt was
 * ended by the trainer itself, so that a late copy of a request can't take a task nobody works on.
 */
export async function leaseTask(store: Store, request: LeaseRequest): Promise<LeasedTask | null> {
  await dropForgottenLease(store, request);
  const leased = await inTransaction(
    store,
    async (tx) => {
      const slot = await lockSlot(tx, request);
      const held = await findOwnLease(tx, store, request);
      if (held) return readLeasedTask(tx, held.taskId, held.leaseEpoch);
      if (slot.draining || (await isBusy(tx, request))) return null;
      const taskId = await pickTask(tx, request.heldFeatureKeys, slot.memoryBytes);
      return taskId === null ? null : takeTask(tx, store, request, taskId, slot.threadCount);
    },
    'lease',
  );
  if (leased) await noteSweepStart(store, leased.sweepId);
  else await noteTooLarge(store);
  return leased;
}

/**
 * A slot that asks for work has none, so a lease it got by another request is of a process that died. Taken back when half
 * of it has passed without a heartbeat, and not at once: a late copy of a cancelled request must not take the task away
 * that the slot has just begun.
 */
async function dropForgottenLease(store: Store, request: LeaseRequest): Promise<void> {
  const { rows } = await store.pool.query<{ task_id: string; lease_epoch: number }>(
    `SELECT task_id, lease_epoch FROM tasks
      WHERE trainer_id = $1 AND slot_index = $2 AND state IN ('LEASED', 'RUNNING') AND lease_request_id <> $3
        AND lease_expire_time < now() + $4 * interval '1 millisecond'`,
    [request.trainerId, request.slotIndex, request.requestId, store.leaseMs / 2],
  );
  const row = rows[0];
  if (!row) return;
  const why = 'its slot asked for other work';
  await expireLease(store, { taskId: row.task_id, leaseEpoch: row.lease_epoch }, why, store.leaseMs / 2);
}

/** The lock makes copies of a request come one after the other, wherever they arrive. It is taken before any task's. */
async function lockSlot(
  tx: StoreTransaction,
  request: LeaseRequest,
): Promise<{ readonly draining: boolean; readonly threadCount: number; readonly memoryBytes: number }> {
  const { rows } = await tx.query<{ state: string; thread_count: number; memory_bytes: string | number }>(
    `SELECT t.state, s.thread_count, s.memory_bytes
       FROM slots s JOIN trainers t USING (trainer_id)
      WHERE s.trainer_id = $1 AND s.slot_index = $2
        FOR NO KEY UPDATE OF s`,
    [request.trainerId, request.slotIndex],
  );
  const row = rows[0];
  if (!row) throw new TrainerUnknownError(request.trainerId);
  const { state, thread_count: threadCount, memory_bytes: memoryBytes } = row;
  return { draining: state === 'DRAINING', threadCount, memoryBytes: Number(memoryBytes) };
}

/** Whether the slot holds another live lease; the unique index tasks_live_slot_key allows one. */
async function isBusy(tx: StoreTransaction, request: LeaseRequest): Promise<boolean> {
  const { rowCount } = await tx.query(
    `SELECT 1 FROM tasks WHERE trainer_id = $1 AND slot_index = $2 AND state IN ('LEASED', 'RUNNING')`,
    [request.trainerId, request.slotIndex],
  );
  return rowCount !== 0;
}

/** The lease this very request got before; renewed, because the trainer has just shown that it lives. */
async function findOwnLease(
  tx: StoreTransaction,
  store: Store,
  request: LeaseRequest,
): Promise<{ readonly taskId: string; readonly leaseEpoch: number } | null> {
  const { rows } = await tx.query<{ task_id: string; lease_epoch: number; state: AttemptState }>(
    `SELECT task_id, lease_epoch, state FROM attempts WHERE trainer_id = $1 AND slot_index = $2 AND request_id = $3`,
    [request.trainerId, request.slotIndex, request.requestId],
  );
  const attempt = rows[0];
  if (!attempt) return null;
  const { task_id: taskId, lease_epoch: leaseEpoch } = attempt;
  if (attempt.state === 'EXPIRED') {
    // The answer may never have arrived: the request is free again, the old attempt keeps a mark of it.
    await tx.query(
      `UPDATE attempts SET request_id = request_id || '#' || task_id || '/' || lease_epoch
        WHERE task_id = $1 AND lease_epoch = $2`,
      [taskId, leaseEpoch],
    );
    return null;
  }
  const { rowCount } = await tx.query(
    `UPDATE tasks SET lease_expire_time = now() + $3 * interval '1 millisecond'
      WHERE task_id = $1 AND lease_epoch = $2 AND state IN ('LEASED', 'RUNNING')`,
    [taskId, leaseEpoch, store.leaseMs],
  );
  if (rowCount !== 1) throw new LeaseLostError(taskId, leaseEpoch);
  return { taskId, leaseEpoch };
}

async function takeTask(
  tx: StoreTransaction,
  store: Store,
  request: LeaseRequest,
  taskId: string,
  threadCount: number,
): Promise<LeasedTask> {
  const { rows } = await tx.query<{ lease_epoch: number; memory_count: number }>(
    `UPDATE tasks
        SET state = 'LEASED', lease_epoch = lease_epoch + 1,
            lease_expire_time = now() + $2 * interval '1 millisecond',
            trainer_id = $3, slot_index = $4, lease_request_id = $5,
            start_time = coalesce(start_time, now()), command = NULL,
            progress_step_count = 0, progress_step_limit = 0, progress_detail = ''
      WHERE task_id = $1
      RETURNING lease_epoch, memory_count`,
    [taskId, store.leaseMs, request.trainerId, request.slotIndex, request.requestId],
  );
  const leaseEpoch = rows[0]?.lease_epoch ?? 0;
  const microBatchDivisor = microBatchDivisorAfter(rows[0]?.memory_count ?? 0);
  await tx.query(
    `INSERT INTO attempts (task_id, lease_epoch, trainer_id, slot_index, request_id, state, thread_count,
                           micro_batch_divisor)
     VALUES ($1, $2, $3, $4, $5, 'LEASED', $6, $7)`,
    [taskId, leaseEpoch, request.trainerId, request.slotIndex, request.requestId, threadCount, microBatchDivisor],
  );
  await prepareRuns(tx, taskId, leaseEpoch);
  const task = await readLeasedTask(tx, taskId, leaseEpoch);
  tx.emit(task.sweepId, {
    kind: 'TASK',
    taskId,
    stage: task.stage,
    state: 'LEASED',
    trainerId: request.trainerId,
    message: `slot ${request.slotIndex}, lease ${leaseEpoch}`,
  });
  return task;
}

/**
 * Also that it does not wait for a larger slot any more. Not part of the lease's transaction, which has locked a task and may
 * not lock its sweep any more.
 */
async function noteSweepStart(store: Store, sweepId: string): Promise<void> {
  await store.pool.query(
    `UPDATE sweeps SET start_time = coalesce(start_time, now()), state_reason = CASE state WHEN 'ACTIVE' THEN '' ELSE state_reason END
      WHERE sweep_id = $1 AND (start_time IS NULL OR state = 'ACTIVE' AND state_reason <> '')`,
    [sweepId],
  );
}
