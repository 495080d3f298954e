import { MAX_REPAIRS, RETRY, WAIT } from '../../../core/repair.ts';
import type { Repair } from '../../../core/repair.ts';
import { waitForMakers } from '../tasks/insert-first.ts';
import { moveTasks } from '../move-tasks.ts';
import type { FencedTask, TaskScope } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { findLiveMakers } from '../features/claim-features.ts';
import { insertFeatureTask } from '../features/insert-feature-task.ts';
import { PENDING_TASKS } from '../state-sql.ts';

/**
 * Schedules the recomputation of feature sets whose files are missing or damaged: once, by the sweep that reports them first. The task and
 * all others of its sweep that read them depend on it. Returns null when the task reads none of these sets.
 */
export async function recomputeFeatures(
  { tx, sweep, task }: TaskScope,
  missing: readonly string[],
): Promise<Repair | null> {
  const own = await lockSets(tx, task, missing);
  if (own.length === 0) return null;
  const lost = own.filter(({ is_stored_since }) => !is_stored_since);
  if (lost.length === 0) return RETRY;
  const keys = lost.map(({ feature_key }) => feature_key);
  const worn = await findWorn(tx, sweep.sweepId, keys);
  if (worn.length > 0) {
    const reason =
      `feature set ${worn.join(', ')} was lost or damaged again after it had been computed more than ${MAX_REPAIRS} times ` +
      'in this sweep; check the disk of the artifact store.';
    return { waits: false, failure: { reason, runIds: null } };
  }
  await tx.query(
    `UPDATE feature_sets
        SET state = 'PLANNED', uri = NULL, sha256 = NULL, shape = '{}', row_count = 0, size_bytes = 0, compute_seconds = NULL
      WHERE feature_key = ANY($1) AND state = 'COMPUTED'`,
    [keys],
  );
  const live = await findLiveMakers(tx, lost);
  const isBeingMade = ({ computed_by_task_id: maker }: LostRow): boolean => maker !== null && live.has(maker);
  const unmade = lost.filter((row) => !isBeingMade(row)).map(({ feature_key }) => feature_key);
  if (unmade.length > 0) {
    const description = 'feature sets that were stored and whose files are missing or damaged';
    const waiting = await readersOf(tx, task, unmade);
    await insertFeatureTask(tx, sweep.sweepId, { keys: unmade, waiting, description });
    await moveTasks(tx, waiting, { to: 'WAITING', from: ['READY'] });
  }
  const makers = lost.filter(isBeingMade).flatMap(({ computed_by_task_id: maker }) => maker ?? []);
  if (makers.length > 0) await waitForMakers(tx, await readersOf(tx, task, keys), [...new Set(makers)]);
  return WAIT;
}

/** Returns the task and the pending tasks of its sweep that read these sets. */
async function readersOf(tx: StoreTransaction, task: FencedTask, keys: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ task_id: string }>(
    `SELECT t.task_id FROM tasks t
      WHERE t.sweep_id = $1 AND (t.task_id = $2 OR t.state IN ${PENDING_TASKS} AND t.stage <> 'FEATURES')
        AND EXISTS (SELECT 1 FROM task_feature_sets u WHERE u.task_id = t.task_id AND u.feature_key = ANY($3))
      ORDER BY t.task_id`,
    [task.sweepId, task.taskId, keys],
  );
  return rows.map(({ task_id }) => task_id);
}

/** Returns the sets that this sweep has recomputed `MAX_REPAIRS` times, which means that the store is bad. */
async function findWorn(tx: StoreTransaction, sweepId: string, keys: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ feature_key: string }>(
    `SELECT u.feature_key FROM task_feature_sets u JOIN tasks t ON t.task_id = u.task_id
      WHERE t.sweep_id = $1 AND t.stage = 'FEATURES' AND t.state = 'SUCCEEDED' AND u.feature_key = ANY($2)
      GROUP BY u.feature_key HAVING count(*) > $3 ORDER BY u.feature_key`,
    [sweepId, keys, MAX_REPAIRS],
  );
  return rows.map(({ feature_key }) => feature_key);
}

interface LostRow {
  readonly feature_key: string;
  readonly computed_by_task_id: string | null;
  /** True if it was stored since this attempt began. */
  readonly is_stored_since: boolean;
}

/** Locks the missing sets that the task reads, in the order of their keys. */
async function lockSets(tx: StoreTransaction, task: FencedTask, missing: readonly string[]): Promise<LostRow[]> {
  if (missing.length === 0) return [];
  const { rows } = await tx.query<LostRow>(
    `SELECT f.feature_key, f.computed_by_task_id,
            f.state = 'COMPUTED' AND EXISTS (
              SELECT 1 FROM tasks maker JOIN attempts a ON a.task_id = $1 AND a.lease_epoch = $2
               WHERE maker.task_id = f.computed_by_task_id AND maker.end_time > a.create_time) AS is_stored_since
       FROM feature_sets f
      WHERE f.feature_key = ANY($3)
        AND f.feature_key IN (SELECT feature_key FROM task_feature_sets WHERE task_id = $1)
      ORDER BY f.feature_key FOR NO KEY UPDATE OF f`,
    [task.taskId, task.leaseEpoch, missing],
  );
  return rows;
}
