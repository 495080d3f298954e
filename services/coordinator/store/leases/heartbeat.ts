import { TrainerUnknownError } from '../../../core/errors.ts';
import { TrainerIdTakenError } from '../../../core/trainer-errors.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import { isEvaluationAwaiting, isHeadAwaited } from '../run-sql.ts';
import { isHolder } from '../tasks/fence.ts';
import type { LeaseClaim } from '../tasks/fence.ts';
import { addAttemptStarts } from '../move-attempts.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { Store } from '../store.ts';
import { BOUNDS, LEASED_TASKS, LEFT_OUT_RUNS, TRAINED_STAGE_LIST } from '../state-sql.ts';

export interface TaskProgress extends Omit<LeaseClaim, 'trainerId'> {
  readonly stepCount: bigint;
  /** 0: unknown. */
  readonly stepLimit: bigint;
  readonly detail: string;
}

/** The command in a heartbeat's answer. NONE: continue; the others as `TaskCommand` in `trainer_service.proto`. */
export type TaskCommand = 'NONE' | 'ABANDON' | 'PAUSE' | 'STOP' | 'KILL' | 'CHECKPOINT_NOW';

export interface TaskDirective {
  readonly taskId: string;
  readonly leaseEpoch: number;
  readonly command: TaskCommand;
  readonly stoppedRunIds: readonly string[];
}

export interface Heartbeat {
  readonly trainerId: string;
  /** Hash of the trainer's secret; empty: none was sent. */
  readonly trainerSecretHash: string;
  readonly draining: boolean;
  readonly tasks: readonly TaskProgress[];
}

export interface HeartbeatAnswer {
  readonly directives: readonly TaskDirective[];
  /** Reason why the coordinator has drained the trainer; null: it gets tasks. */
  readonly drainReason: string | null;
}

/**
 * Renews those leases of the request that the trainer really holds, and returns a directive for each lease of the request, in its order.
 * Leases of a trainer that the coordinator has drained are not renewed.
 *
 * @throws TrainerUnknownError, TrainerIdTakenError
 */
export async function recordHeartbeat(store: Store, beat: Heartbeat): Promise<HeartbeatAnswer> {
  // A separate statement, because the trainer's row is not part of the lock order.
  const { rows } = await store.pool.query<{ drain_reason: string | null }>(
    `UPDATE trainers SET heartbeat_time = now(), state = CASE WHEN drain_reason IS NULL THEN $2 ELSE 'DRAINING' END
      WHERE trainer_id = $1 AND coalesce(secret_hash, '') = $3
      RETURNING drain_reason`,
    [beat.trainerId, beat.draining ? 'DRAINING' : 'READY', beat.trainerSecretHash],
  );
  if (rows[0] === undefined) throw await whyNotOwn(store, beat.trainerId);
  const { drain_reason: drainReason } = rows[0];
  if (beat.tasks.length === 0) return { directives: [], drainReason };
  if (drainReason !== null) return { directives: beat.tasks.map(abandon), drainReason };
  const directives = await inTransaction(store, async (tx) => {
    await renewLeases(tx, beat, store.leaseMs);
    const states = await readStates(tx, beat);
    return beat.tasks.map((task) => directiveFor(task, states.get(task.taskId), beat.draining));
  });
  return { directives, drainReason };
}

async function whyNotOwn(store: Store, trainerId: string): Promise<Error> {
  const { rowCount } = await store.pool.query(
    'SELECT 1 FROM trainers WHERE trainer_id = $1 AND secret_hash IS NOT NULL',
    [trainerId],
  );
  return rowCount === 0 ? new TrainerUnknownError(trainerId) : new TrainerIdTakenError(trainerId);
}

async function renewLeases(tx: StoreTransaction, beat: Heartbeat, leaseMs: number): Promise<void> {
  const { rows } = await tx.query<{ task_id: string; lease_epoch: number }>(
    `WITH beat AS (
       SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::text[], $7::text[])
                  AS b (task_id, lease_epoch, step_count, step_limit, detail, secret_hash)
     ), locked AS MATERIALIZED (
       SELECT t.task_id, b.step_count, b.step_limit, b.detail
         FROM tasks t JOIN beat b ON b.task_id = t.task_id AND b.lease_epoch = t.lease_epoch
         JOIN attempts a ON a.task_id = t.task_id AND a.lease_epoch = t.lease_epoch
        WHERE t.state IN ${LEASED_TASKS} AND t.trainer_id = $8 AND ${isHolder('$8', 'b.secret_hash')}
        ORDER BY t.task_id
          FOR NO KEY UPDATE OF t
     )
     UPDATE tasks t
        SET lease_expire_time = now() + $6 * interval '1 millisecond', state = 'RUNNING',
            progress_step_count = l.step_count, progress_step_limit = l.step_limit, progress_detail = l.detail
       FROM locked l WHERE t.task_id = l.task_id
      RETURNING t.task_id, t.lease_epoch`,
    [
      beat.tasks.map(({ taskId }) => taskId),
      beat.tasks.map(({ leaseEpoch }) => leaseEpoch),
      beat.tasks.map(({ stepCount }) => stepCount.toString()),
      beat.tasks.map(({ stepLimit }) => stepLimit.toString()),
      beat.tasks.map(({ detail }) => detail),
      leaseMs,
      beat.tasks.map(({ secretHash }) => secretHash),
      beat.trainerId,
    ],
  );
  const batch = tx.batch();
  addAttemptStarts(
    batch,
    rows.map((row) => ({ taskId: row.task_id, leaseEpoch: row.lease_epoch })),
  );
  await batch.send();
}

interface LiveState {
  readonly leaseEpoch: number;
  readonly command: TaskCommand | null;
  readonly sweepState: SweepState;
  /** True: it trains, and its search has ended by a bound, so that nothing needs more training. */
  readonly isPastBound: boolean;
  readonly stoppedRunIds: readonly string[];
}

async function readStates(
  tx: StoreTransaction,
  { tasks, trainerId }: Heartbeat,
): Promise<ReadonlyMap<string, LiveState>> {
  const { rows } = await tx.query<{
    task_id: string;
    lease_epoch: number;
    command: TaskCommand | null;
    sweep_state: SweepState;
    is_past_bound: boolean;
    stopped_run_ids: string[];
  }>(
    `SELECT t.task_id, t.lease_epoch, t.command, s.state AS sweep_state,
            t.stage IN ${TRAINED_STAGE_LIST} AND EXISTS (
              SELECT 1 FROM searches q WHERE q.sweep_id = t.sweep_id AND q.end_reason IN ${BOUNDS})
              AND NOT ${isEvaluationAwaiting('t')} AS is_past_bound,
            ARRAY(SELECT r.run_id FROM task_runs tr JOIN runs r ON r.run_id = tr.run_id
                   WHERE tr.task_id = t.task_id AND t.stage IN ${TRAINED_STAGE_LIST}
                     AND r.state IN ${LEFT_OUT_RUNS}
                     AND NOT ${isHeadAwaited('r', 't')}
                   ORDER BY r.run_id) AS stopped_run_ids
       FROM unnest($1::text[], $2::int[], $3::text[]) AS b (task_id, lease_epoch, secret_hash)
       JOIN tasks t ON t.task_id = b.task_id AND t.lease_epoch = b.lease_epoch
       JOIN attempts a ON a.task_id = t.task_id AND a.lease_epoch = t.lease_epoch
       JOIN sweeps s ON s.sweep_id = t.sweep_id
      WHERE t.state IN ${LEASED_TASKS} AND t.trainer_id = $4 AND ${isHolder('$4', 'b.secret_hash')}`,
    [
      tasks.map(({ taskId }) => taskId),
      tasks.map(({ leaseEpoch }) => leaseEpoch),
      tasks.map(({ secretHash }) => secretHash),
      trainerId,
    ],
  );
  return new Map(
    rows.map((row) => [
      row.task_id,
      {
        leaseEpoch: row.lease_epoch,
        command: row.command,
        sweepState: row.sweep_state,
        isPastBound: row.is_past_bound,
        stoppedRunIds: row.stopped_run_ids,
      },
    ]),
  );
}

function directiveFor(task: TaskProgress, live: LiveState | undefined, draining: boolean): TaskDirective {
  const { taskId, leaseEpoch } = task;
  if (live?.leaseEpoch !== leaseEpoch) return abandon(task);
  return { taskId, leaseEpoch, command: commandFor(live, draining), stoppedRunIds: live.stoppedRunIds };
}

function abandon({ taskId, leaseEpoch }: TaskProgress): TaskDirective {
  return { taskId, leaseEpoch, command: 'ABANDON', stoppedRunIds: [] };
}

/** Returns the most severe command that applies. It follows from the rows, so every heartbeat repeats it until it was obeyed. */
function commandFor(live: LiveState, draining: boolean): TaskCommand {
  if (live.command === 'KILL') return 'KILL';
  if (isTerminalSweepState(live.sweepState) || live.isPastBound || live.command === 'STOP') return 'STOP';
  if (live.sweepState === 'PAUSED' || draining || live.command === 'PAUSE') return 'PAUSE';
  return live.command ?? 'NONE';
}
