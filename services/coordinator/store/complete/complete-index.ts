import { datasetIdOf } from '../../../core/ids.ts';
import type { PlanInput, PlannedRun } from '../../../core/planner/plan.ts';
import { infeasibleRuns, planSweep } from '../../../core/planner/plan-sweep.ts';
import { UnresolvedWeightsError } from '../../../core/planner/weights-resolver.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
import type { Parameters, SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { TaskResult } from '../../../core/task.ts';
import { claimFeatures } from '../features/claim-features.ts';
import type { LockedSweep } from '../move-sweep.ts';
import { endRuns } from '../runs/end-runs.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import type { Store } from '../store.ts';
import type { FencedTask } from '../tasks/fence.ts';
import { insertTasks } from '../tasks/insert-tasks.ts';
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
  await upsertDataset(tx, result);
  await tx.query('UPDATE sweeps SET dataset_id = $2, weights = $3::jsonb, planned = true WHERE sweep_id = $1', [
    sweep.sweepId,
    result.dataset.datasetId,
    JSON.stringify(result.weights),
  ]);
  const { classCounts, classNames } = result.dataset;
  const imageCount = classCounts.reduce((sum, count) => sum + count.imageCount, 0);
  const message = `${imageCount} images of ${classNames.length} classes`;
  await endAttempt(tx, task, { attempt: 'SUCCEEDED', task: 'SUCCEEDED', event: 'SUCCEEDED', message, error: null });
  if (isOver) return;
  await plan(tx, sweep.sweepId, result);
  await settleSweep(tx, store, sweep, [task.taskId]);
}

async function upsertDataset(tx: StoreTransaction, { dataset, manifestUri }: IndexResult): Promise<void> {
  const expected = datasetIdOf(dataset.digest);
  if (dataset.datasetId !== expected) {
    const description = `must be ${expected} for digest ${dataset.digest}; received '${dataset.datasetId}'.`;
    throw new InvalidRequestError([{ field: 'index.dataset.dataset_id', description }]);
  }
  await tx.query(
    `INSERT INTO datasets (dataset_id, digest, path, class_names, class_counts, problems, manifest_uri)
     VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7)
     ON CONFLICT (dataset_id) DO UPDATE
        SET path = excluded.path, problems = excluded.problems, manifest_uri = excluded.manifest_uri`,
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

async function plan(tx: StoreTransaction, sweepId: string, result: IndexResult): Promise<void> {
  const { rows } = await tx.query<{ run_id: string; run_index: number; parameters: Parameters }>(
    `SELECT run_id, run_index, parameters FROM runs
      WHERE sweep_id = $1 AND state IN ('QUEUED', 'PAUSED') ORDER BY run_index`,
    [sweepId],
  );
  const runs = rows.map((row) => ({
    runId: row.run_id,
    index: row.run_index,
    config: compileRunConfig(row.parameters),
  }));
  const feasible = await leaveOutInfeasible(tx, runs, result);
  if (feasible.length === 0) return;
  const input: PlanInput = {
    sweepId,
    objective: (await readSpec(tx, sweepId)).objective,
    runs: feasible,
    dataset: { digest: result.dataset.digest },
    weights: result.weights,
    slotCount: await countSlots(tx),
  };
  await insertTasks(tx, sweepId, await claimFeatures(tx, sweepId, planSweep(input).tasks));
}

async function leaveOutInfeasible(
  tx: StoreTransaction,
  runs: readonly PlannedRun[],
  result: IndexResult,
): Promise<PlannedRun[]> {
  try {
    const infeasible = new Map(infeasibleRuns({ runs, weights: result.weights }).map((run) => [run.runId, run.reason]));
    for (const [runId, reason] of [...infeasible].sort(([a], [b]) => (a < b ? -1 : 1))) {
      await endRuns(tx, [runId], { to: 'INFEASIBLE', reason });
    }
    return runs.filter(({ runId }) => !infeasible.has(runId));
  } catch (error) {
    if (!(error instanceof UnresolvedWeightsError)) throw error;
    throw new InvalidRequestError([{ field: 'index.weights', description: error.message }]);
  }
}

async function readSpec(tx: StoreTransaction, sweepId: string): Promise<SweepSpec> {
  const { rows } = await tx.query<{ spec: SweepSpec }>('SELECT spec FROM sweeps WHERE sweep_id = $1', [sweepId]);
  if (!rows[0]) throw new Error(`Sweep ${sweepId} vanished while it was locked.`);
  return rows[0].spec;
}

/** Slots of trainers that take work; groups of cached runs are cut so that all of them have something to do. */
async function countSlots(tx: StoreTransaction): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM slots s JOIN trainers t USING (trainer_id) WHERE t.state = 'READY'`,
  );
  return Math.max(1, rows[0]?.count ?? 1);
}
