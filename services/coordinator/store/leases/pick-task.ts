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
 * Locks and returns the next ready task; null when there is none. Tasks whose feature sets the slot's machine holds come first, then
 * the oldest sweep, then the plan's order. SKIP LOCKED: concurrent requests don't wait for each other and never get the same task. Two
 * statements instead of one ordered by "holds", because that would look up the feature sets of every ready task at every lease.
 *
 * A task that has failed by a fault of the slot's machine is left to other slots while there are some.
 */
export async function pickTask(
  tx: StoreTransaction,
  heldFeatureKeys: readonly string[],
  slot: PickingSlot,
): Promise<PickedTask | null> {
  const { memoryBytes, trainerId, slotIndex } = slot;
  if (heldFeatureKeys.length > 0) {
    const { rows } = await tx.prepared<PickedRow>(
      pickSql('AND t.task_id IN (SELECT task_id FROM task_feature_sets WHERE feature_key = ANY($4))'),
      [memoryBytes, trainerId, slotIndex, heldFeatureKeys],
    );
    if (rows[0]) return toPicked(rows[0]);
  }
  const { rows } = await tx.prepared<PickedRow>(pickSql(''), [memoryBytes, trainerId, slotIndex]);
  return rows[0] ? toPicked(rows[0]) : null;
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
}

function toPicked(row: PickedRow): PickedTask {
  return { taskId: row.task_id, lastLeaseEpoch: row.lease_epoch, memoryFailures: row.memory_count };
}

/** Returns the SQL of a pick. It goes sweep by sweep, so that the tasks of a large sweep need not be sorted for each lease. */
function pickSql(condition: string): string {
  return `
    SELECT picked.*
      FROM (SELECT sweep_id FROM sweeps WHERE state = 'ACTIVE' ORDER BY create_time, sweep_id) s
     CROSS JOIN LATERAL (
       SELECT t.task_id, t.lease_epoch, t.memory_count FROM tasks t
        WHERE t.sweep_id = s.sweep_id AND t.state = 'READY' AND t.not_before_time <= now() ${condition}
          AND ($1::bigint = 0 OR coalesce(t.required_memory_bytes, 0) <= $1::bigint)
          AND NOT EXISTS (SELECT 1 FROM machine_faults f
                           WHERE f.task_id = t.task_id AND ${isFaultOf('f', '$2', '$3::int')} AND EXISTS (${otherSlots('t')}))
          AND (t.stage <> 'FEATURES' OR NOT EXISTS (${OTHER_MAKERS}))
        ORDER BY t.position, t.task_id
        LIMIT 1
          FOR NO KEY UPDATE SKIP LOCKED
     ) picked
     LIMIT 1`;
}

/**
 * SQL of other tasks that compute a set of this one now, or will. One set has two such tasks after a sweep was paused, another took over,
 * and the first was resumed. A set names its one maker, always the task that was planned last. So of several ready tasks only
 * that one is leased, and no two wait for each other.
 */
const OTHER_MAKERS = `
  SELECT 1
    FROM task_feature_sets own
    JOIN feature_sets f ON f.feature_key = own.feature_key AND f.state <> 'COMPUTED'
    JOIN task_feature_sets theirs ON theirs.feature_key = own.feature_key AND theirs.task_id <> own.task_id
    JOIN tasks o ON o.task_id = theirs.task_id AND o.stage = 'FEATURES'
    JOIN sweeps os ON os.sweep_id = o.sweep_id
   WHERE own.task_id = t.task_id
     AND (o.state IN ${LEASED_TASKS}
          OR (o.state IN ${PENDING_TASKS} AND os.state = 'ACTIVE' AND f.computed_by_task_id = o.task_id))`;
