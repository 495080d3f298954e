import type { Contention, HeldTask, OccupiedSlot, Surplus, WaitingTask } from '../../../core/preemption.ts';
import type { OuterJoined } from '../../../platform/db/outer-joined.ts';
import { isFaultOf, otherSlots } from '../faults/other-slots.ts';
import { LEASED_TASKS, TRAINED_STAGE_LIST } from '../state-sql.ts';
import type { Store } from '../store.ts';
import { isAwaitedBy, isLeasable, leasedCount } from '../tasks/leasable.ts';

/** Maximum number of waiting tasks that one pass considers. */
const MAX_WAITING = 200;
/** Reads the slots and what waits for them; null where no task may preempt another, as in a cluster without priorities. */
export async function readContention(store: Store): Promise<Contention | null> {
  const surpluses = await readSurpluses(store);
  const waiting = await readWaiting(store);
  if (surpluses.length === 0 && waiting.length === 0) return null;
  return { slots: await readSlots(store), waiting, surpluses };
}

async function readSurpluses(store: Store): Promise<Surplus[]> {
  const { rows } = await store.pool.query<{ sweep_id: string; max_parallel_slots: number }>(
    `SELECT s.sweep_id, s.max_parallel_slots FROM sweeps s
      WHERE s.state = 'ACTIVE' AND s.max_parallel_slots < ${leasedCount('s')}
      ORDER BY s.sweep_id`,
  );
  return rows.map((row) => ({ sweepId: row.sweep_id, maxParallelSlots: row.max_parallel_slots }));
}

interface WaitingRow {
  readonly task_id: string;
  readonly sweep_id: string;
  readonly priority: number;
  readonly memory_bytes: number;
  readonly avoided_slot_ids: string[];
}

/**
 * Returns the ready tasks of sweeps with a higher priority than some training task has, no more of a sweep than it may lease. A task that
 * several sweeps wait for is there once, for the one that comes first.
 */
async function readWaiting(store: Store): Promise<WaitingTask[]> {
  const { rows } = await store.pool.query<WaitingRow>(
    `WITH lowest AS (
       SELECT min(h.priority) AS priority FROM tasks x JOIN sweeps h USING (sweep_id)
        WHERE x.state IN ${LEASED_TASKS} AND x.stage IN ${TRAINED_STAGE_LIST} AND h.state = 'ACTIVE'
     )
     SELECT w.task_id, s.sweep_id, s.priority, coalesce(w.required_memory_bytes, 0)::float8 AS memory_bytes,
            ARRAY(SELECT DISTINCT k.trainer_id || '/' || k.slot_index
                    FROM machine_faults f JOIN slots k ON ${isFaultOf('f', 'k.trainer_id', 'k.slot_index')}
                   WHERE f.task_id = w.task_id AND EXISTS (${otherSlots('w')})) AS avoided_slot_ids
       FROM lowest
       JOIN sweeps s ON s.state = 'ACTIVE' AND s.priority > lowest.priority
      CROSS JOIN LATERAL (
        SELECT * FROM (
          SELECT t.task_id, t.required_memory_bytes, t.position, false AS is_own FROM tasks t
           WHERE ${isAwaitedBy('t', 's')} AND ${isLeasable('t')}
          UNION ALL
          SELECT t.task_id, t.required_memory_bytes, t.position, true FROM tasks t
           WHERE t.sweep_id = s.sweep_id AND ${isLeasable('t')}
        ) ready
         ORDER BY is_own, position, task_id
         LIMIT least($1, greatest(0, coalesce(s.max_parallel_slots - ${leasedCount('s')}, $1)))
      ) w
      ORDER BY s.priority DESC, s.create_time, s.sweep_id, w.is_own, w.position, w.task_id
      LIMIT $1`,
    [MAX_WAITING],
  );
  const taskIds = rows.map(({ task_id }) => task_id);
  const first = rows.filter(({ task_id }, index) => taskIds.indexOf(task_id) === index);
  return first.map((row) => ({
    taskId: row.task_id,
    sweepId: row.sweep_id,
    priority: row.priority,
    memoryBytes: row.memory_bytes,
    avoidedSlotIds: new Set(row.avoided_slot_ids),
  }));
}

interface SlotColumns {
  readonly trainer_id: string;
  readonly slot_index: number;
  readonly memory_bytes: number;
}

type SlotRow = SlotColumns &
  OuterJoined<{
    task_id: string;
    lease_epoch: number;
    sweep_id: string;
    priority: number;
    is_leaving: boolean;
    is_preemptible: boolean;
    unsaved_seconds: number | null;
    held_seconds: number;
  }>;

/**
 * Returns the slots that take tasks. A task that was preempted before may be preempted again when it has made progress, so that it
 * ends however often urgent work comes.
 */
async function readSlots(store: Store): Promise<OccupiedSlot[]> {
  const { rows } = await store.pool.query<SlotRow>(
    `SELECT k.trainer_id, k.slot_index, k.memory_bytes::float8 AS memory_bytes, held.*
       FROM slots k
       JOIN trainers n ON n.trainer_id = k.trainer_id AND n.state = 'READY' AND n.drain_reason IS NULL
       LEFT JOIN LATERAL (
         SELECT t.task_id, t.lease_epoch, t.sweep_id, s.priority,
                coalesce(t.command, '') IN ('PAUSE', 'STOP', 'KILL') OR s.state <> 'ACTIVE' AS is_leaving,
                t.stage IN ${TRAINED_STAGE_LIST}
                  AND (t.progress_step_count > 0
                       OR NOT EXISTS (SELECT 1 FROM attempts before
                                       WHERE before.task_id = t.task_id AND before.lease_epoch = t.lease_epoch - 1
                                         AND before.error_code = 'PREEMPTED')) AS is_preemptible,
                (SELECT extract(epoch FROM now() - max(c.create_time))::float8
                   FROM task_runs m
                   JOIN checkpoints c ON c.run_id = m.run_id AND c.task_id = t.task_id AND c.lease_epoch = t.lease_epoch
                  WHERE m.task_id = t.task_id) AS unsaved_seconds,
                extract(epoch FROM now() - a.create_time)::float8 AS held_seconds
           FROM tasks t
           JOIN sweeps s USING (sweep_id)
           JOIN attempts a ON a.task_id = t.task_id AND a.lease_epoch = t.lease_epoch
          WHERE t.trainer_id = k.trainer_id AND t.slot_index = k.slot_index AND t.state IN ${LEASED_TASKS}
       ) held ON true
      WHERE k.bench_reason = ''
      ORDER BY k.trainer_id, k.slot_index`,
  );
  return rows.map((row) => ({
    slotId: `${row.trainer_id}/${row.slot_index}`,
    memoryBytes: row.memory_bytes,
    task: toHeldTask(row),
  }));
}

function toHeldTask(row: SlotRow): HeldTask | null {
  if (row.task_id === null) return null;
  return {
    taskId: row.task_id,
    leaseEpoch: row.lease_epoch,
    sweepId: row.sweep_id,
    priority: row.priority,
    isLeaving: row.is_leaving,
    isPreemptible: row.is_preemptible,
    unsavedSeconds: row.unsaved_seconds,
    heldSeconds: row.held_seconds,
  };
}
