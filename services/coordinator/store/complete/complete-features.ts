import { InvalidRequestError } from '../../../core/errors.ts';
import type { FeatureSetRef, TaskResult } from '../../../core/task.ts';
import type { LockedSweep } from '../move-sweep.ts';
import { noteOtherSweeps } from '../settle/note-other-sweeps.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import type { Store } from '../store.ts';
import type { FencedTask } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { endAttempt } from './end-attempt.ts';

/** Records the stored feature sets; what waits for them becomes ready, also in other sweeps. */
export async function completeFeatures(
  tx: StoreTransaction,
  store: Store,
  sweep: LockedSweep,
  task: FencedTask,
  result: Extract<TaskResult, { stage: 'FEATURES' }>,
): Promise<void> {
  const keys = await lockSets(tx, task.taskId);
  const byKey = new Map(result.featureSets.map((set) => [set.key, set]));
  const missing = keys.filter((key) => !isStored(byKey.get(key)));
  if (missing.length > 0 || byKey.size !== keys.length) {
    const description =
      `must be the task's ${keys.length} sets, each with uri and sha256; received ${byKey.size}, ` +
      `missing or incomplete: ${missing.join(', ') || 'none'}.`;
    throw new InvalidRequestError([{ field: 'features.feature_sets', description }]);
  }
  for (const set of byKey.values()) {
    await tx.query(
      `UPDATE feature_sets
          SET state = 'COMPUTED', uri = $2, shape = $3, row_count = $4, sha256 = $5, size_bytes = $6,
              compute_seconds = $7, computed_by_task_id = $8
        WHERE feature_key = $1 AND state <> 'COMPUTED'`,
      // The task's time belongs to all its sets together; a set gets an equal part.
      [set.key, set.uri, set.shape, set.rowCount, set.sha256, set.sizeBytes, result.seconds / keys.length, task.taskId],
    );
  }
  const message = `${keys.length} feature sets in ${result.seconds.toFixed(1)} s`;
  await endAttempt(tx, task, { attempt: 'SUCCEEDED', task: 'SUCCEEDED', event: 'SUCCEEDED', message, error: null });
  await noteOtherSweeps(tx, task);
  await settleSweep(tx, store, sweep, [task.taskId]);
}

/** The lock makes a sweep that is being planned see these sets as stored, or this transaction see its wait. */
async function lockSets(tx: StoreTransaction, taskId: string): Promise<string[]> {
  const { rows } = await tx.query<{ feature_key: string }>(
    `SELECT feature_key FROM feature_sets
      WHERE feature_key IN (SELECT feature_key FROM task_feature_sets WHERE task_id = $1)
      ORDER BY feature_key FOR NO KEY UPDATE`,
    [taskId],
  );
  return rows.map(({ feature_key }) => feature_key);
}

function isStored(set: FeatureSetRef | undefined): boolean {
  return set !== undefined && set.uri !== null && set.sha256 !== null;
}
