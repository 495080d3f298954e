import type { LockedSweep } from '../move-sweep.ts';
import type { FencedTask } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { findLiveMakers } from './claim-features.ts';
import { makeFeatures } from './make-features.ts';

/**
 * Feature sets whose stored files are gone, removed by hand or by a rule of the bucket, are computed again: once, by whichever
 * sweep met it first. The task waits for that; @returns false where it need not, because they are there again.
 */
export async function remakeFeatures(
  tx: StoreTransaction,
  sweep: LockedSweep,
  task: FencedTask,
  missing: readonly string[],
): Promise<boolean> {
  if (missing.length === 0) return false;
  const lost = await lockLost(tx, task, missing);
  if (lost.length === 0) return false;
  await tx.query(
    `UPDATE feature_sets
        SET state = 'PLANNED', uri = NULL, sha256 = NULL, shape = '{}', row_count = 0, size_bytes = 0, compute_seconds = NULL
      WHERE feature_key = ANY($1) AND state = 'COMPUTED'`,
    [lost.map(({ feature_key }) => feature_key)],
  );
  const live = await findLiveMakers(tx, lost);
  const isBeingMade = ({ computed_by_task_id: maker }: LostRow): boolean => maker !== null && live.has(maker);
  const unmade = lost.filter((row) => !isBeingMade(row)).map(({ feature_key }) => feature_key);
  if (unmade.length > 0) {
    const description = 'feature sets that were stored and whose files are gone';
    await makeFeatures(tx, sweep.sweepId, { keys: unmade, waiting: [task.taskId], description });
  }
  await tx.query(
    'INSERT INTO task_dependencies (task_id, depends_on_id) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING',
    [task.taskId, [...new Set(lost.filter(isBeingMade).map(({ computed_by_task_id }) => computed_by_task_id))]],
  );
  return true;
}

interface LostRow {
  readonly feature_key: string;
  readonly computed_by_task_id: string | null;
}

/** Those of the task's own sets that nobody has stored since this attempt began; locked in the order of their keys. */
async function lockLost(tx: StoreTransaction, task: FencedTask, missing: readonly string[]): Promise<LostRow[]> {
  const { rows } = await tx.query<LostRow>(
    `SELECT f.feature_key, f.computed_by_task_id FROM feature_sets f
      WHERE f.feature_key = ANY($3)
        AND f.feature_key IN (SELECT feature_key FROM task_feature_sets WHERE task_id = $1)
        AND (f.state <> 'COMPUTED' OR NOT EXISTS (
              SELECT 1 FROM tasks maker JOIN attempts a ON a.task_id = $1 AND a.lease_epoch = $2
               WHERE maker.task_id = f.computed_by_task_id AND maker.end_time > a.create_time))
      ORDER BY f.feature_key FOR NO KEY UPDATE OF f`,
    [task.taskId, task.leaseEpoch, missing],
  );
  return rows;
}
