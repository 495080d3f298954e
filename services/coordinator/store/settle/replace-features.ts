import { insertFeatureTask } from '../features/insert-feature-task.ts';
import type { SweepScope } from '../move-sweep.ts';
import type { StoreTransaction } from '../transaction.ts';

export interface OrphanedTask {
  /** WAITING task of this sweep. */
  readonly taskId: string;
  /** FEATURES task of another sweep that failed or was cancelled, or whose sweep is not active. */
  readonly makerId: string;
}

/** Lets this sweep compute the feature sets that another sweep was to compute and does not. */
export async function replaceFeatures(scope: SweepScope, orphans: readonly OrphanedTask[]): Promise<void> {
  const makerIds = [...new Set(orphans.map(({ makerId }) => makerId))].sort();
  for (const makerId of makerIds) {
    const waiting = orphans.filter((orphan) => orphan.makerId === makerId).map(({ taskId }) => taskId);
    await replaceMaker(scope, makerId, waiting);
  }
}

async function replaceMaker({ tx, sweep }: SweepScope, makerId: string, waiting: readonly string[]): Promise<void> {
  const keys = await missingKeys(tx, makerId, waiting);
  await tx.query('DELETE FROM task_dependencies WHERE depends_on_id = $1 AND task_id = ANY($2)', [makerId, waiting]);
  if (keys.length === 0) return;
  const description = `feature sets that task ${makerId} of another sweep did not compute`;
  await insertFeatureTask(tx, sweep.sweepId, { keys, waiting, description });
}

/** Locks and returns the maker's sets that the waiting tasks read and that are not stored. */
async function missingKeys(tx: StoreTransaction, makerId: string, waiting: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ feature_key: string }>(
    `SELECT feature_key FROM feature_sets
      WHERE state <> 'COMPUTED'
        AND feature_key IN (SELECT feature_key FROM task_feature_sets WHERE task_id = $1)
        AND feature_key IN (SELECT feature_key FROM task_feature_sets WHERE task_id = ANY($2))
      ORDER BY feature_key FOR NO KEY UPDATE`,
    [makerId, waiting],
  );
  return rows.map(({ feature_key }) => feature_key);
}
