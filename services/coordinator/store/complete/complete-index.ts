import type { ClassCount, Dataset, DatasetProblem } from '../../../core/dataset.ts';
import { datasetIdOf } from '../../../core/ids.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import { checkIndex, checkKnownContent } from '../../../core/reports/check-index.ts';
import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import { isMachineFault } from '../../../core/machine-fault.ts';
import type { TaskError } from '../../../core/task.ts';
import { countOf } from '../../../core/text/count-of.ts';
import { recordDependentSweeps } from '../settle/settle-sweeps.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import { cancelRemovals } from '../removals/file-removals.ts';
import { writePlan } from '../sweeps/write-plan.ts';
import type { TaskScope } from '../tasks/fence.ts';
import { readWeightsReferences } from '../sweeps/read-weights-references.ts';
import type { StoreTransaction } from '../transaction.ts';
import { endAttempt } from './end-attempt.ts';
import { failSweep } from './fail-sweep.ts';
import { endWithError } from './end-with-error.ts';
import {
  describeMissing,
  failRunsWithout,
  forgetSearch,
  joinResults,
  keepPartial,
  mayFindMore,
  readPartial,
  shortageOf,
} from './missing-weights.ts';
import type { IndexResult } from './missing-weights.ts';

/**
 * Records the data set and the weights, and plans the sweep: this inserts its tasks. While another machine may have missing weights, INDEX
 * is left to it, and what was found is kept. A sweep that is planned already was reindexed because its manifest was lost.
 */
export async function completeIndex(scope: TaskScope, result: IndexResult): Promise<void> {
  const { tx, sweep, task } = scope;
  await requirePlausible(tx, sweep.sweepId, result);
  const known = await findIndexed(tx, sweep.sweepId);
  if (known !== null) {
    await completeReindex(scope, result, known);
    return;
  }
  const found = joinResults(result, await readPartial(tx, task.taskId));
  const shortage = shortageOf(found.missingWeights);
  if (shortage !== null && (await mayFindMore(scope, shortage))) {
    await keepPartial(tx, task.taskId, found);
    await endWithError(scope, shortage, 'FAILED');
  } else await planWith(scope, found, null);
}

/** Ends an attempt that failed. If no other machine can take INDEX, the sweep continues with what earlier attempts have found. */
export async function endIndexWithError(scope: TaskScope, error: TaskError): Promise<void> {
  const { tx, sweep, task } = scope;
  const mayContinue = isMachineFault(error) && !isTerminalSweepState(sweep.state);
  const partial = mayContinue ? await readPartial(tx, task.taskId) : null;
  if (partial === null || (await mayFindMore(scope, error))) await endWithError(scope, error, 'FAILED');
  else await planWith(scope, partial, error);
}

/** Plans a sweep. Runs whose weights are missing fail. @param error that ended the attempt, if an earlier one has found the result */
async function planWith(scope: TaskScope, result: IndexResult, error: TaskError | null): Promise<void> {
  const { tx, sweep, task } = scope;
  await forgetSearch(tx, task.taskId, result.missingWeights);
  await insertDataset(tx, result);
  await tx.query(
    `UPDATE sweeps SET dataset_id = $2, weights = $3::jsonb, dataset_problems = $4::jsonb, planned = true
      WHERE sweep_id = $1`,
    [sweep.sweepId, result.dataset.datasetId, JSON.stringify(result.weights), JSON.stringify(result.dataset.problems)],
  );
  const { classCounts, classNames, problems } = result.dataset;
  const message =
    `${countOf(countImages(classCounts), 'image')} of ${countOf(classNames.length, 'class', 'classes')}${describeProblems(problems)}` +
    describeMissing(result.missingWeights) +
    (error === null ? '' : `; found by an earlier attempt, because this one failed: ${error.message}`);
  const attempt = error === null ? 'SUCCEEDED' : 'FAILED';
  await endAttempt(scope, { attempt, task: 'SUCCEEDED', event: 'SUCCEEDED', message, error });
  if (isTerminalSweepState(sweep.state)) return;
  await failRunsWithout(tx, sweep.sweepId, result.missingWeights);
  await writePlan(tx, sweep.sweepId, result);
  await settleSweep(scope, [task.taskId]);
}

/** Checks the result against the sweep's data set and weights. @throws InvalidRequestError */
async function requirePlausible(tx: StoreTransaction, sweepId: string, result: IndexResult): Promise<void> {
  const { rows } = await tx.query<{ path: string }>(
    `SELECT spec -> 'dataset' ->> 'path' AS path FROM sweeps WHERE sweep_id = $1`,
    [sweepId],
  );
  const weights = await readWeightsReferences(tx, sweepId);
  const violations = checkIndex(result, { path: rows[0]?.path ?? '', weights });
  if (violations.length > 0) throw new InvalidRequestError(violations);
}

interface IndexedRow {
  readonly dataset_id: string;
  readonly digest: string;
  readonly class_names: string[];
  readonly class_counts: ClassCount[];
}

/** Returns the data set of a planned sweep; null before planning. */
async function findIndexed(tx: StoreTransaction, sweepId: string): Promise<IndexedRow | null> {
  const { rows } = await tx.query<IndexedRow>(
    `SELECT d.dataset_id, d.digest, d.class_names, d.class_counts
       FROM sweeps s JOIN datasets d ON d.dataset_id = s.dataset_id WHERE s.sweep_id = $1 AND s.planned`,
    [sweepId],
  );
  return rows[0] ?? null;
}

/** Completes a reindexing. The content must be the planned one, because features, curves and test results depend on it. */
async function completeReindex(scope: TaskScope, result: IndexResult, known: IndexedRow): Promise<void> {
  const { tx, sweep, task } = scope;
  const isOver = isTerminalSweepState(sweep.state);
  if (result.dataset.digest === known.digest) {
    await insertDataset(tx, result);
    const message = `the same ${countOf(countImages(known.class_counts), 'image')}: the manifest was restored`;
    await endAttempt(scope, { attempt: 'SUCCEEDED', task: 'SUCCEEDED', event: 'SUCCEEDED', message, error: null });
    await recordDependentSweeps(tx, task);
    if (!isOver) await settleSweep(scope, [task.taskId]);
    return;
  }
  const message = describeChange(result.dataset, known);
  const error = { errorClass: 'PERMANENT', code: 'DATASET_CHANGED', message, datasetProblems: [] } as const;
  await endAttempt(scope, { attempt: 'FAILED', task: 'FAILED', event: 'FAILED', message, error });
  await recordDependentSweeps(tx, task);
  if (!isOver) await failSweep(tx, sweep.sweepId, message);
}

function describeChange({ path, datasetId, classCounts, classNames }: Dataset, known: IndexedRow): string {
  return (
    `the manifest of data set ${known.dataset_id} was lost or damaged, and ${path} holds other images now: data set ${datasetId} ` +
    `with ${countOf(countImages(classCounts), 'image')} of ${countOf(classNames.length, 'class', 'classes')} instead of ${countImages(known.class_counts)} of ` +
    `${known.class_names.length}. Restore the images as they were and submit the sweep again.`
  );
}

function countImages(classCounts: readonly ClassCount[]): number {
  return classCounts.reduce((sum, count) => sum + count.imageCount, 0);
}

/** Summarizes problems for the sweep's events; `sweeps.dataset_problems` has each of them. */
function describeProblems(problems: readonly DatasetProblem[]): string {
  const counts = new Map<string, number>();
  for (const { code, count = 1 } of problems) counts.set(code, (counts.get(code) ?? 0) + count);
  const named = [...counts].map(([code, count]) => `${count} ${code}`);
  const [first] = problems;
  return first === undefined ? '' : `; ignored problems: ${named.join(', ')}, for example ${first.message}`;
}

/**
 * Inserts a new data set. A known row keeps the folder and the problems of its first indexing; this sweep's own are in its spec and in
 * `sweeps.dataset_problems`.
 *
 * @throws InvalidRequestError for an identity that does not match the digest, and for classes or counts that differ from the known row
 */
async function insertDataset(tx: StoreTransaction, { dataset, manifestUri }: IndexResult): Promise<void> {
  const expected = datasetIdOf(dataset.digest);
  if (dataset.datasetId !== expected) {
    const description = `must be ${expected} for digest ${dataset.digest}; received '${dataset.datasetId}'.`;
    throw new InvalidRequestError([{ field: 'index.dataset.dataset_id', description }]);
  }
  await cancelRemovals(tx, [manifestUri]);
  // Two sweeps may index the same images at the same time. A conflict target covers one unique index, and the other one, that of the
  // digest, would then report a violation.
  await tx.query(
    `INSERT INTO datasets (dataset_id, digest, path, class_names, class_counts, problems, manifest_uri)
     VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7)
     ON CONFLICT DO NOTHING`,
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
  const { rows } = await tx.query<{ class_names: string[]; class_counts: ClassCount[] }>(
    'UPDATE datasets SET manifest_uri = $2 WHERE dataset_id = $1 RETURNING class_names, class_counts',
    [dataset.datasetId, manifestUri],
  );
  const violations = rows.flatMap((row) =>
    checkKnownContent(dataset, { classNames: row.class_names, classCounts: row.class_counts }),
  );
  if (violations.length > 0) throw new InvalidRequestError(violations);
}
