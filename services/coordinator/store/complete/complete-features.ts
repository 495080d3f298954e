import { InvalidRequestError } from '../../../core/errors.ts';
import { checkFeatures } from '../../../core/reports/check-features.ts';
import type { AskedFeatureSet } from '../../../core/reports/check-features.ts';
import type { TaskResult } from '../../../core/task.ts';
import { countOf } from '../../../core/text/count-of.ts';
import { recordDependentSweeps } from '../settle/settle-sweeps.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import type { TaskScope } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { endAttempt } from './end-attempt.ts';

/** Records the stored feature sets. Tasks that wait for them become READY, also in other sweeps. */
export async function completeFeatures(
  scope: TaskScope,
  result: Extract<TaskResult, { stage: 'FEATURES' }>,
): Promise<void> {
  const { tx, task } = scope;
  const asked = await lockSets(tx, task.taskId);
  const violations = checkFeatures(result.featureSets, result.seconds, asked);
  if (violations.length > 0) throw new InvalidRequestError(violations);
  for (const set of result.featureSets) {
    await tx.query(
      `UPDATE feature_sets
          SET state = 'COMPUTED', uri = $2, shape = $3, row_count = $4, sha256 = $5, size_bytes = $6,
              compute_seconds = $7, computed_by_task_id = $8
        WHERE feature_key = $1 AND state <> 'COMPUTED'`,
      // The task's time is divided equally among its sets.
      [
        set.key,
        set.uri,
        set.shape,
        set.rowCount,
        set.sha256,
        set.sizeBytes,
        result.seconds / asked.length,
        task.taskId,
      ],
    );
  }
  const message = `${countOf(asked.length, 'feature set')} in ${result.seconds.toFixed(1)} s`;
  await endAttempt(scope, { attempt: 'SUCCEEDED', task: 'SUCCEEDED', event: 'SUCCEEDED', message, error: null });
  await recordDependentSweeps(tx, task);
  await settleSweep(scope, [task.taskId]);
}

/** Locks the task's sets, so that a concurrent planning either sees them as stored or this transaction sees its dependency. */
async function lockSets(tx: StoreTransaction, taskId: string): Promise<AskedFeatureSet[]> {
  const { rows } = await tx.query<AskedFeatureSet>(
    `SELECT feature_key AS key, dataset_digest AS "datasetDigest", split, backbone, weights_digest AS "weightsDigest", cut,
            image_size AS "imageSize", pooling, dtype,
            (SELECT sum((c ->> 'imageCount')::int)::int
               FROM datasets d, jsonb_array_elements(d.class_counts) c
              WHERE d.digest = f.dataset_digest AND c ->> 'split' = f.split) AS "imageCount"
       FROM feature_sets f
      WHERE feature_key IN (SELECT feature_key FROM task_feature_sets WHERE task_id = $1)
      ORDER BY feature_key FOR NO KEY UPDATE`,
    [taskId],
  );
  return rows;
}
