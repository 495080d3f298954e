import { TrainerUnknownError } from '../../../core/errors.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import { isHeadAwaited } from '../runs/shared-head.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { Store } from '../store.ts';

export interface TaskProgress {
  readonly taskId: string;
  readonly leaseEpoch: number;
  readonly stepCount: bigint;
  /** 0 where unknown. */
  readonly stepLimit: bigint;
  readonly detail: string;
}

/** NONE: go on. The others as `TaskCommand` in `trainer_service.proto`. */
export type TaskCommand = 'NONE' | 'ABANDON' | 'PAUSE' | 'STOP' | 'KILL' | 'CHECKPOINT_NOW';

export interface TaskDirective {
  readonly taskId: string;
  readonly leaseEpoch: number;
  readonly command: TaskCommand;
  readonly stoppedRunIds: readonly string[];
}

export interface Heartbeat {
  readonly trainerId: string;
  readonly draining: boolean;
  readonly tasks: readonly TaskProgress[];
}

/**
 * Renews the leases a trainer says it holds and answers with what to do about each, in the order of the request.
 *
 * @throws TrainerUnknownError
 */
export async function recordHeartbeat(store: Store, beat: Heartbeat): Promise<TaskDirective[]> {
  // A statement of its own: the trainer's row is not part of the lock order.
  const { rowCount } = await store.pool.query(
    `UPDATE trainers SET heartbeat_time = now(), state = $2 WHERE trainer_id = $1`,
    [beat.trainerId, beat.draining ? 'DRAINING' : 'READY'],
  );
  if (rowCount !== 1) throw new TrainerUnknownError(beat.trainerId);
  if (beat.tasks.length === 0) return [];
  return inTransaction(store, async (tx) => {
    await renewLeases(tx, beat, store.leaseMs);
    const states = await readStates(tx, beat.tasks);
    return beat.tasks.map((task) => directiveFor(task, states.get(task.taskId), beat.draining));
  });
}

async function renewLeases(tx: StoreTransaction, beat: Heartbeat, leaseMs: number): Promise<void> {
  const { rows } = await tx.query<{ task_id: string; lease_epoch: number }>(
    `WITH beat AS (
       SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::text[])
                  AS b (task_id, lease_epoch, step_count, step_limit, detail)
     ), locked AS MATERIALIZED (
       SELECT t.task_id, b.step_count, b.step_limit, b.detail
         FROM tasks t JOIN beat b ON b.task_id = t.task_id AND b.lease_epoch = t.lease_epoch
        WHERE t.state IN ('LEASED', 'RUNNING')
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
    ],
  );
  await tx.query(
    `UPDATE attempts a SET state = 'RUNNING'
       FROM unnest($1::text[], $2::int[]) AS l (task_id, lease_epoch)
      WHERE a.task_id = l.task_id AND a.lease_epoch = l.lease_epoch AND a.state = 'LEASED'`,
    [rows.map(({ task_id }) => task_id), rows.map(({ lease_epoch }) => lease_epoch)],
  );
}

interface LiveState {
  readonly leaseEpoch: number;
  readonly command: TaskCommand | null;
  readonly sweepState: SweepState;
  readonly stoppedRunIds: readonly string[];
}

async function readStates(
  tx: StoreTransaction,
  tasks: readonly TaskProgress[],
): Promise<ReadonlyMap<string, LiveState>> {
  const { rows } = await tx.query<{
    task_id: string;
    lease_epoch: number;
    command: TaskCommand | null;
    sweep_state: SweepState;
    stopped_run_ids: string[];
  }>(
    `SELECT t.task_id, t.lease_epoch, t.command, s.state AS sweep_state,
            ARRAY(SELECT r.run_id FROM task_runs tr JOIN runs r ON r.run_id = tr.run_id
                   WHERE tr.task_id = t.task_id AND t.stage IN ('HEAD', 'FINE_TUNE')
                     AND r.state IN ('STOPPING', 'STOPPED', 'CANCELLED', 'FAILED', 'INFEASIBLE')
                     AND NOT ${isHeadAwaited('r', 't')}
                   ORDER BY r.run_id) AS stopped_run_ids
       FROM tasks t JOIN sweeps s ON s.sweep_id = t.sweep_id
      WHERE t.task_id = ANY($1) AND t.state IN ('LEASED', 'RUNNING')`,
    [tasks.map(({ taskId }) => taskId)],
  );
  return new Map(
    rows.map((row) => [
      row.task_id,
      {
        leaseEpoch: row.lease_epoch,
        command: row.command,
        sweepState: row.sweep_state,
        stoppedRunIds: row.stopped_run_ids,
      },
    ]),
  );
}

function directiveFor(task: TaskProgress, live: LiveState | undefined, draining: boolean): TaskDirective {
  const { taskId, leaseEpoch } = task;
  if (live?.leaseEpoch !== leaseEpoch) return { taskId, leaseEpoch, command: 'ABANDON', stoppedRunIds: [] };
  return { taskId, leaseEpoch, command: commandFor(live, draining), stoppedRunIds: live.stoppedRunIds };
}

/** The more severe one wins; it follows from the rows, so it is told again until it has been obeyed. */
function commandFor(live: LiveState, draining: boolean): TaskCommand {
  if (live.command === 'KILL') return 'KILL';
  if (isTerminalSweepState(live.sweepState) || live.command === 'STOP') return 'STOP';
  if (live.sweepState === 'PAUSED' || draining || live.command === 'PAUSE') return 'PAUSE';
  return live.command ?? 'NONE';
}
