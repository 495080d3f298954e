import { isFaultOf, otherSlots } from '../faults/other-slots.ts';
import type { StoreTransaction } from '../transaction.ts';
import { hasPlace, isAwaitedBy, isExecutedBy, isLeasable } from '../tasks/leasable.ts';

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
 * Where a sweep waits for INDEX or FEATURES of another one, that task counts as the waiting sweep's: urgent work must not wait for the
 * places or the priority of the sweep that happens to compute its features.
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
  /** The sweep in whose place the task is leased: its own, or one that waits for it. */
  readonly sweep_id: string;
  /** True if that sweep has a bound on its slots. */
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

/**
 * Returns SQL of the next task of sweeps with the priority `level.priority`. What a sweep waits for comes before its own tasks, also if it
 * is a task of another sweep.
 */
function pickAtPriority(condition: string): string {
  return `
    SELECT first.*, s.sweep_id, s.is_bounded
      FROM (SELECT a.sweep_id, a.max_parallel_slots IS NOT NULL AS is_bounded FROM sweeps a
             WHERE a.state = 'ACTIVE' AND a.priority = level.priority AND a.sweep_id <> ALL($4) AND ${hasPlace('a')}
             ORDER BY a.create_time, a.sweep_id) s
     CROSS JOIN LATERAL (
       SELECT * FROM (${firstTask(isAwaitedBy('t', 's'), condition)}) awaited
       UNION ALL SELECT * FROM (${firstTask('t.sweep_id = s.sweep_id', condition)}) own
       LIMIT 1
     ) first
     LIMIT 1`;
}

function firstTask(ofSweep: string, condition: string): string {
  return `
    SELECT t.task_id, t.lease_epoch, t.memory_count FROM tasks t
     WHERE ${ofSweep} AND ${isLeasable('t')} AND ${isExecutedBy('t', '$2')} ${condition}
       AND ($1::bigint = 0 OR coalesce(t.required_memory_bytes, 0) <= $1::bigint)
       AND NOT EXISTS (SELECT 1 FROM machine_faults f
                        WHERE f.task_id = t.task_id AND ${isFaultOf('f', '$2', '$3::int')} AND EXISTS (${otherSlots('t')}))
     ORDER BY t.position, t.task_id
     LIMIT 1
       FOR NO KEY UPDATE SKIP LOCKED`;
}
