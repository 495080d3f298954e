import type { DatasetProblem } from '../../../core/dataset.ts';
import { datasetIdOf } from '../../../core/ids.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import type { TaskResult } from '../../../core/task.ts';
import type { LockedSweep } from '../move-sweep.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import type { Store } from '../store.ts';
import { writePlan } from '../sweeps/write-plan.ts';
import type { FencedTask } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { endAttempt } from './end-attempt.ts';

export type IndexResult = Extract<TaskResult, { stage: 'INDEX' }>;

/** Records the data set and the weights, and plans the sweep: its tasks exist from here on. */
export async function completeIndex(
  tx: StoreTransaction,
  store: Store,
  sweep: LockedSweep,
  task: FencedTask,
  result: IndexResult,
  isOver: boolean,
): Promise<void> {
  await insertDataset(tx, result);
  await tx.query(
    `UPDATE sweeps SET dataset_id = $2, weights = $3::jsonb, dataset_problems = $4::jsonb, planned = true
      WHERE sweep_id = $1`,
    [sweep.sweepId, result.dataset.datasetId, JSON.stringify(result.weights), JSON.stringify(result.dataset.problems)],
  );
  const { classCounts, classNames, problems } = result.dataset;
  const imageCount = classCounts.reduce((sum, count) => sum + count.imageCount, 0);
  const message = `${imageCount} images of ${classNames.length} classes${describeProblems(problems)}`;
  await endAttempt(tx, task, { attempt: 'SUCCEEDED', task: 'SUCCEEDED', event: 'SUCCEEDED', message, error: null });
  if (isOver) return;
  await writePlan(tx, store, sweep.sweepId, result);
  await settleSweep(tx, store, sweep, [task.taskId]);
}

/** For the sweep's events; `sweeps.dataset_problems` has each of them. */
function describeProblems(problems: readonly DatasetProblem[]): string {
  const counts = new Map<string, number>();
  for (const { code } of problems) counts.set(code, (counts.get(code) ?? 0) + 1);
  const named = [...counts].map(([code, count]) => `${count} ${code}`);
  const [first] = problems;
  return first === undefined ? '' : `; found and let pass: ${named.join(', ')}, for example ${first.message}`;
}

/**
 * Records content that is new. A known row keeps the folder and the problems of its first indexing: this sweep's own are in its
 * spec and in `sweeps.dataset_problems`.
 *
 * @throws InvalidRequestError for an identity that is not the digest's.
 */
async function insertDataset(tx: StoreTransaction, { dataset, manifestUri }: IndexResult): Promise<void> {
  const expected = datasetIdOf(dataset.digest);
  if (dataset.datasetId !== expected) {
    const description = `must be ${expected} for digest ${dataset.digest}; received '${dataset.datasetId}'.`;
    throw new InvalidRequestError([{ field: 'index.dataset.dataset_id', description }]);
  }
  await tx.query(
    `INSERT INTO datasets (dataset_id, digest, path, class_names, class_counts, problems, manifest_uri)
     VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7)
     ON CONFLICT (dataset_id) DO UPDATE SET manifest_uri = excluded.manifest_uri`,
    [
      dataset.datasetId,
      dataset.digest,
      dataset.path,
      dataset.classNames,
      JSON.stringify(dataset.classCounts),
      JSON.stringify(dataset.problems),
      manifestUri,
    ],
  );
}
