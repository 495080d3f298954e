import { isFaultOf, otherSlots } from '../faults/other-slots.ts';
import type { StoreTransaction } from '../transaction.ts';
import { LEASED_TASKS, PENDING_TASKS } from '../state-sql.ts';

export interface PickedTask {
  readonly taskId: string;
  /** 0: never leased. */
  readonly lastLeaseEpoch: number;
  /** Number of attempts that ran out of memory. */
  readonly memoryFailures: number;
}

/**
 * Locks and returns the next ready task; null when there is none. Tasks of the highest priority come first, of these the ones whose
 * feature sets the slot's machine holds, then the oldest sweep, then the plan's order. SKIP LOCKED: concurrent requests don't wait for
 * each other and never get the same task.
 *
 * A task that has failed by a fault of the slot's machine is left to other slots while there are some. A sweep whose bound on slots is
 * reached is left out.
 */
export async function pickTask(
  tx: StoreTransaction,
  heldFeatureKeys: readonly string[],
  { memoryBytes, trainerId, slotIndex }: PickingSlot,
): Promise<PickedTask | null> {
  const fullSweepIds: string[] = [];
  for (;;) {
    const slot = [memoryBytes, trainerId, slotIndex, fullSweepIds];
    const { rows } =
      heldFeatureKeys.length === 0
        ? await tx.prepared<PickedRow>(pickSql(''), slot)
        : await tx.prepared<PickedRow>(pickSql(`SELECT * FROM (${pickAtPriority(HELD)}) held UNION ALL`), [
            ...slot,
            heldFeatureKeys,
          ]);
    const [row] = rows;
    if (row === undefined) return null;
    if (!row.is_bounded || (await takePlace(tx, row.sweep_id))) return toPicked(row);
    fullSweepIds.push(row.sweep_id);
  }
}

/** The slot that requests a task. */
export interface PickingSlot {
  readonly trainerId: string;
  readonly slotIndex: number;
  /** Limit on the task's required memory; 0: unknown, no limit. */
  readonly memoryBytes: number;
}

interface PickedRow {
  readonly task_id: string;
  readonly lease_epoch: number;
  readonly memory_count: number;
  readonly sweep_id: string;
  /** True if the sweep has a bound on its slots. */
  readonly is_bounded: boolean;
}

function toPicked(row: PickedRow): PickedTask {
  return { taskId: row.task_id, lastLeaseEpoch: row.lease_epoch, memoryFailures: row.memory_count };
}

/** First key of the advisory locks under which the leases of a bounded sweep are counted. */
const PLACE_LOCK_SPACE = 0x67726673;

/**
 * Returns whether a bounded sweep may lease one more task. The lock is held to the commit, so that the next lease counts this one. A
 * separate statement counts, whose snapshot is later than the lock. Only leases take the lock, after a task's and before runs', and
 * its holder waits for no task, so that it closes no circle.
 */
async function takePlace(tx: StoreTransaction, sweepId: string): Promise<boolean> {
  const batch = tx.batch();
  batch.prepared('SELECT pg_advisory_xact_lock($1, hashtext($2))', [PLACE_LOCK_SPACE, sweepId]);
  const places = batch.prepared(`SELECT 1 FROM sweeps s WHERE s.sweep_id = $1 AND ${hasPlace('s')}`, [sweepId]);
  await batch.send();
  return places.rowCount > 0;
}

/** Returns SQL of whether a sweep may lease one more task. @param sweep alias of its row */
function hasPlace(sweep: string): string {
  return `(${sweep}.max_parallel_slots IS NULL OR ${sweep}.max_parallel_slots > ${leasedCount(sweep)})`;
}

/** Returns SQL of the number of slots that work on a sweep. @param sweep alias of its row */
export function leasedCount(sweep: string): string {
  return `(SELECT count(*) FROM tasks held WHERE held.sweep_id = ${sweep}.sweep_id AND held.state IN ${LEASED_TASKS})`;
}

/**
 * Returns the SQL of a pick. It goes priority by priority and sweep by sweep, so that the tasks of a large sweep need not be sorted for
 * each lease. Held feature sets are a pick of their own at each priority, because an order by "holds" would look up the feature sets
 * of every ready task.
 *
 * @param picksBefore SQL of picks that come before the general one at each priority, each followed by UNION ALL
 */
function pickSql(picksBefore: string): string {
  return `
    SELECT picked.*
      FROM (SELECT DISTINCT priority FROM sweeps WHERE state = 'ACTIVE' ORDER BY priority DESC) level
     CROSS JOIN LATERAL (${picksBefore} SELECT * FROM (${pickAtPriority('')}) pick LIMIT 1) picked
     LIMIT 1`;
}

/** SQL of whether the slot's machine holds a feature set of the task. */
const HELD = 'AND t.task_id IN (SELECT task_id FROM task_feature_sets WHERE feature_key = ANY($5))';

/** Returns SQL of the next task of sweeps with the priority `level.priority`. */
function pickAtPriority(condition: string): string {
  return `
    SELECT first.*, s.is_bounded
      FROM (SELECT a.sweep_id, a.max_parallel_slots IS NOT NULL AS is_bounded FROM sweeps a
             WHERE a.state = 'ACTIVE' AND a.priority = level.priority AND a.sweep_id <> ALL($4) AND ${hasPlace('a')}
             ORDER BY a.create_time, a.sweep_id) s
     CROSS JOIN LATERAL (
       SELECT t.task_id, t.lease_epoch, t.memory_count, t.sweep_id FROM tasks t
        WHERE t.sweep_id = s.sweep_id AND ${isLeasable('t')} ${condition}
          AND ($1::bigint = 0 OR coalesce(t.required_memory_bytes, 0) <= $1::bigint)
          AND NOT EXISTS (SELECT 1 FROM machine_faults f
                           WHERE f.task_id = t.task_id AND ${isFaultOf('f', '$2', '$3::int')} AND EXISTS (${otherSlots('t')}))
        ORDER BY t.position, t.task_id
        LIMIT 1
          FOR NO KEY UPDATE SKIP LOCKED
     ) first
     LIMIT 1`;
}

/** Returns SQL of whether a task may be leased now by a slot that suits it. @param task alias of its row */
export function isLeasable(task: string): string {
  return `${task}.state = 'READY' AND ${task}.not_before_time <= now()
          AND (${task}.stage <> 'FEATURES' OR NOT EXISTS (${otherMakers(task)}))`;
}

/**
 * Returns SQL of other tasks that compute a set of a FEATURES task now, or will. One set has two such tasks after a sweep was paused,
 * another took over, and the first was resumed. A set names its one maker, always the task that was planned last. So of several ready
 * tasks only that one is leased, and no two wait for each other.
 *
 * @param task alias of its row
 */
function otherMakers(task: string): string {
  return `
  SELECT 1
    FROM task_feature_sets own
    JOIN feature_sets f ON f.feature_key = own.feature_key AND f.state <> 'COMPUTED'
    JOIN task_feature_sets theirs ON theirs.feature_key = own.feature_key AND theirs.task_id <> own.task_id
    JOIN tasks o ON o.task_id = theirs.task_id AND o.stage = 'FEATURES'
    JOIN sweeps os ON os.sweep_id = o.sweep_id
   WHERE own.task_id = ${task}.task_id
     AND (o.state IN ${LEASED_TASKS}
          OR (o.state IN ${PENDING_TASKS} AND os.state = 'ACTIVE' AND f.computed_by_task_id = o.task_id))`;
}
