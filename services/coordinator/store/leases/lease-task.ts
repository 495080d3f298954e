import { LeaseLostError, TrainerUnknownError } from '../../../core/errors.ts';
import { TrainerIdTakenError } from '../../../core/trainer-errors.ts';
import { microBatchDivisorAfter } from '../../../core/retry.ts';
import type { AttemptState } from '../../../core/states/attempt-state.ts';
import type { LeasedTask } from '../../../core/task.ts';
import type { OuterJoined } from '../../../platform/db/outer-joined.ts';
import type { Answer, Batch } from '../../../platform/db/batch.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { Store } from '../store.ts';
import { touchTrainer } from '../trainers/touch-trainer.ts';
import { expireLease } from './expire-lease.ts';
import type { LiveLease } from './expire-lease.ts';
import { recordWaitReasons } from './record-wait-reasons.ts';
import { pickTask } from './pick-task.ts';
import type { PickedTask } from './pick-task.ts';
import { addRunsOfTask, prepareRuns } from './prepare-runs.ts';
import { readLeasedTask } from './read-leased-task.ts';
import type { ReadTask } from './read-leased-task.ts';
import { LEASED_TASKS } from '../state-sql.ts';

/** Fraction of a lease after which a lease request updates the trainer's heartbeat time; a trainer is LOST after two leases. */
const QUIET_LEASE_PART = 4;

export interface LeaseRequest {
  readonly requestId: string;
  readonly trainerId: string;
  /** Hash of the trainer's secret; empty: none was sent. */
  readonly trainerSecretHash: string;
  /** Returns the hash of the new lease's secret; empty for a trainer without secrets. */
  readonly leaseSecretHash: (taskId: string, leaseEpoch: number) => string;
  readonly slotIndex: number;
  readonly heldFeatureKeys: readonly string[];
}

/**
 * Leases the next ready task to a slot; returns null when none is ready. Idempotent by (trainer, slot, request id): while the lease
 * lives, the same request gets the same task, and the lease is renewed. A request whose lease has expired before its answer
 * arrived gets a new lease.
 *
 * @throws TrainerUnknownError when the trainer or the slot is not registered; TrainerIdTakenError; LeaseLostError when the
 * trainer itself has ended the request's attempt, so that a late copy of a request can't lease a task that no slot would work on.
 */
export async function leaseTask(store: Store, request: LeaseRequest): Promise<LeasedTask | null> {
  let outcome = await tryLease(store, request);
  if (outcome.isBusy && (await reclaimForgottenLease(store, request))) outcome = await tryLease(store, request);
  if (outcome.isQuiet) await touchTrainer(store, request.trainerId);
  const { leased } = outcome;
  if (leased === null) await recordWaitReasons(store);
  if (leased !== null && !leased.isStartRecorded) await recordSweepStart(store, leased.task.sweepId);
  return leased?.task ?? null;
}

interface LeaseOutcome {
  readonly leased: ReadTask | null;
  /** True if the slot holds a live lease by another request. */
  readonly isBusy: boolean;
  /** True if the trainer's heartbeat time needs an update. */
  readonly isQuiet: boolean;
}

async function tryLease(store: Store, request: LeaseRequest): Promise<LeaseOutcome> {
  return inTransaction(
    store,
    async (tx) => {
      const batch = tx.batch();
      const lockedSlots = addSlotLock(batch, store, request);
      const ownLeases = addLeaseLookup(batch, request);
      await batch.send();
      const slot = toSlot(lockedSlots.rows[0], request.trainerId);
      const [own] = ownLeases.rows;
      const held = own === undefined ? null : await renewOwnLease(tx, own);
      const isBusy = own?.is_busy ?? false;
      const { isQuiet } = slot;
      if (held) return { leased: await readLeasedTask(tx, held.taskId, held.leaseEpoch), isBusy: false, isQuiet };
      if (slot.draining || slot.isBenched || isBusy) return { leased: null, isBusy, isQuiet };
      const picked = await pickTask(tx, request.heldFeatureKeys, { ...request, memoryBytes: slot.memoryBytes });
      const leased = picked === null ? null : await takeTask(tx, request, picked, slot.threadCount);
      return { leased, isBusy, isQuiet };
    },
    'lease',
  );
}

/**
 * Expires a lease that the slot got by another request. A slot that requests a task has none, so that lease belongs to a dead process. It is
 * expired after half its length without a heartbeat, not at once: a late copy of a cancelled request must not end the task that the
 * slot has just begun. @returns whether a lease was expired
 */
async function reclaimForgottenLease(store: Store, request: LeaseRequest): Promise<boolean> {
  const { rows } = await store.pool.query<{ task_id: string; lease_epoch: number }>(
    `SELECT task_id, lease_epoch FROM tasks
      WHERE trainer_id = $1 AND slot_index = $2 AND state IN ${LEASED_TASKS} AND lease_request_id <> $3
        AND lease_expire_time < now() + $4 * interval '1 millisecond'`,
    [request.trainerId, request.slotIndex, request.requestId, store.leaseMs / 2],
  );
  const row = rows[0];
  if (!row) return false;
  const why = 'its slot requested another task';
  return expireLease(store, { taskId: row.task_id, leaseEpoch: row.lease_epoch }, why, store.leaseMs / 2);
}

interface Slot {
  readonly draining: boolean;
  readonly isBenched: boolean;
  readonly isQuiet: boolean;
  readonly threadCount: number;
  readonly memoryBytes: number;
}

interface SlotRow {
  readonly state: string;
  readonly is_own: boolean;
  readonly is_bound: boolean;
  readonly is_quiet: boolean;
  readonly is_benched: boolean;
  readonly thread_count: number;
  readonly memory_bytes: string;
}

/** The lock serializes copies of a request, whichever coordinators receive them. It is taken before any task's. */
function addSlotLock(batch: Batch, store: Store, request: LeaseRequest): Answer<SlotRow> {
  return batch.prepared<SlotRow>(
    `SELECT CASE WHEN t.drain_reason IS NULL THEN t.state ELSE 'DRAINING' END AS state,
            coalesce(t.secret_hash, '') = $4 AS is_own, t.secret_hash IS NOT NULL AS is_bound,
            t.state = 'LOST' OR t.heartbeat_time < now() - $3 * interval '1 millisecond' AS is_quiet,
            s.thread_count, s.memory_bytes, s.bench_reason <> '' AS is_benched
       FROM slots s JOIN trainers t USING (trainer_id)
      WHERE s.trainer_id = $1 AND s.slot_index = $2
        FOR NO KEY UPDATE OF s`,
    [request.trainerId, request.slotIndex, store.leaseMs / QUIET_LEASE_PART, request.trainerSecretHash],
  );
}

/** @throws TrainerUnknownError, TrainerIdTakenError */
function toSlot(row: SlotRow | undefined, trainerId: string): Slot {
  if (!row) throw new TrainerUnknownError(trainerId);
  if (!row.is_own) throw row.is_bound ? new TrainerIdTakenError(trainerId) : new TrainerUnknownError(trainerId);
  const { state, is_quiet: isQuiet, thread_count: threadCount, memory_bytes: memoryBytes, is_benched: isBenched } = row;
  return { draining: state === 'DRAINING', isBenched, isQuiet, threadCount, memoryBytes: Number(memoryBytes) };
}

/** The attempt that the same request began before, if any. `is_busy`: the slot holds a live lease (tasks_live_slot_key allows one). */
type OwnLeaseRow = { is_busy: boolean } & OuterJoined<{ task_id: string; lease_epoch: number; state: AttemptState }>;

function addLeaseLookup(batch: Batch, request: LeaseRequest): Answer<OwnLeaseRow> {
  return batch.prepared<OwnLeaseRow>(
    `SELECT EXISTS (SELECT 1 FROM tasks
                     WHERE trainer_id = $1 AND slot_index = $2 AND state IN ${LEASED_TASKS}) AS is_busy,
            own.task_id, own.lease_epoch, own.state
       FROM (VALUES (1)) AS always
       LEFT JOIN attempts own ON own.trainer_id = $1 AND own.slot_index = $2 AND own.request_id = $3`,
    [request.trainerId, request.slotIndex, request.requestId],
  );
}

/**
 * Renews the lease that the same request got before, because the trainer has just shown that it is alive.
 *
 * @throws LeaseLostError when the trainer itself has ended the attempt
 */
async function renewOwnLease(tx: StoreTransaction, own: OwnLeaseRow): Promise<LiveLease | null> {
  if (own.task_id === null) return null;
  const { task_id: taskId, lease_epoch: leaseEpoch, state } = own;
  if (state === 'EXPIRED') {
    // The answer may never have arrived: the request id becomes free, and the old attempt keeps it with a suffix.
    await tx.query(
      `UPDATE attempts SET request_id = request_id || '#' || task_id || '/' || lease_epoch
        WHERE task_id = $1 AND lease_epoch = $2`,
      [taskId, leaseEpoch],
    );
    return null;
  }
  const { rowCount } = await tx.query(
    `UPDATE tasks SET lease_expire_time = now() + $3 * interval '1 millisecond'
      WHERE task_id = $1 AND lease_epoch = $2 AND state IN ${LEASED_TASKS}`,
    [taskId, leaseEpoch, tx.store.leaseMs],
  );
  if (rowCount !== 1) throw new LeaseLostError(taskId, leaseEpoch);
  return { taskId, leaseEpoch };
}

async function takeTask(
  tx: StoreTransaction,
  request: LeaseRequest,
  { taskId, lastLeaseEpoch, memoryFailures }: PickedTask,
  threadCount: number,
): Promise<ReadTask> {
  const leaseEpoch = lastLeaseEpoch + 1;
  const { trainerId, slotIndex, requestId } = request;
  const batch = tx.batch();
  batch.prepared(
    `UPDATE tasks
        SET state = 'LEASED', lease_epoch = $6, lease_expire_time = now() + $2 * interval '1 millisecond',
            trainer_id = $3, slot_index = $4, lease_request_id = $5,
            start_time = coalesce(start_time, now()), command = NULL, command_reason = '',
            progress_step_count = 0, progress_step_limit = 0, progress_detail = ''
      WHERE task_id = $1`,
    [taskId, tx.store.leaseMs, trainerId, slotIndex, requestId, leaseEpoch],
  );
  batch.prepared(
    `INSERT INTO attempts (task_id, lease_epoch, trainer_id, slot_index, request_id, state, thread_count,
                           micro_batch_divisor, lease_secret_hash, recipe_version)
     VALUES ($1, $2, $3, $4, $5, 'LEASED', $6, $7, nullif($8, ''),
             (SELECT recipe_version FROM trainers WHERE trainer_id = $3))`,
    [
      taskId,
      leaseEpoch,
      trainerId,
      slotIndex,
      requestId,
      threadCount,
      microBatchDivisorAfter(memoryFailures),
      request.leaseSecretHash(taskId, leaseEpoch),
    ],
  );
  const runs = addRunsOfTask(batch, taskId);
  await batch.send();
  await prepareRuns(tx, taskId, leaseEpoch, runs.rows);
  const read = await readLeasedTask(tx, taskId, leaseEpoch);
  tx.emit(read.task.sweepId, {
    kind: 'TASK',
    taskId,
    stage: read.task.stage,
    state: 'LEASED',
    trainerId,
    message: `slot ${slotIndex}, lease ${leaseEpoch}`,
  });
  return read;
}

/**
 * Records that a sweep has started, and clears its wait reason. Not part of the lease's transaction, which has locked a task and
 * must not lock its sweep after it.
 */
async function recordSweepStart(store: Store, sweepId: string): Promise<void> {
  await store.pool.query(
    `UPDATE sweeps SET start_time = coalesce(start_time, now()), state_reason = CASE state WHEN 'ACTIVE' THEN '' ELSE state_reason END
      WHERE sweep_id = $1 AND (start_time IS NULL OR state = 'ACTIVE' AND state_reason <> '')`,
    [sweepId],
  );
}
