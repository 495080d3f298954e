import { waitForMakers } from '../tasks/insert-first.ts';
import type { StoreTransaction } from '../transaction.ts';
import { findLiveMakers } from './claim-features.ts';
import { insertFeatureTask } from './insert-feature-task.ts';

/**
 * Makes tasks of a locked sweep wait for their feature sets that are not stored: for the tasks that compute them already, and for one
 * that this sweep gets for the others.
 */
export async function awaitFeatures(tx: StoreTransaction, sweepId: string, taskIds: readonly string[]): Promise<void> {
  const { rows } = await tx.query<{ feature_key: string; computed_by_task_id: string | null }>(
    `SELECT feature_key, computed_by_task_id FROM feature_sets
      WHERE state <> 'COMPUTED' AND feature_key IN (SELECT feature_key FROM task_feature_sets WHERE task_id = ANY($1))
      ORDER BY feature_key FOR NO KEY UPDATE`,
    [taskIds],
  );
  const live = await findLiveMakers(tx, rows);
  const isMade = ({ computed_by_task_id: maker }: (typeof rows)[number]): boolean => maker !== null && live.has(maker);
  for (const maker of live) {
    const keys = rows.filter((row) => row.computed_by_task_id === maker).map((row) => row.feature_key);
    await waitForMakers(tx, await readersOf(tx, taskIds, keys), [maker]);
  }
  const missing = rows.filter((row) => !isMade(row)).map((row) => row.feature_key);
  if (missing.length === 0) return;
  const waiting = await readersOf(tx, taskIds, missing);
  const description = 'feature sets that no task was to compute any more';
  await insertFeatureTask(tx, sweepId, { keys: missing, waiting, description });
  await waitForMakers(tx, waiting, []);
}

async function readersOf(tx: StoreTransaction, taskIds: readonly string[], keys: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ task_id: string }>(
    'SELECT DISTINCT task_id FROM task_feature_sets WHERE task_id = ANY($1) AND feature_key = ANY($2) ORDER BY task_id',
    [taskIds, keys],
  );
  return rows.map(({ task_id }) => task_id);
}
