import { InvalidRequestError } from '../../../core/errors.ts';
import { makespanSeconds } from '../../../core/planner/cost/makespan.ts';
import { timed } from '../../../core/planner/cost/plan-cost.ts';
import { forecastFeatures } from '../../../core/planner/cost/task-cost.ts';
import type { CostContext } from '../../../core/planner/cost/task-cost.ts';
import type { Plan, PlannedTask } from '../../../core/planner/plan.ts';
import { costContextOf } from '../../../core/planner/plan-sweep.ts';
import { pathOf, stepAfter } from '../../../core/stopping/ladder.ts';
import type { RungStep } from '../../../core/stopping/ladder.ts';
import { pauseEpoch, pausesAtRungs, policyOf } from '../../../core/stopping/policy.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import { countImages } from '../../../core/dataset.ts';
import type { Dataset } from '../../../core/dataset.ts';
import type { WeightsInfo } from '../../../core/task.ts';
import { claimFeatures } from '../features/claim-features.ts';
import { clusterDataOf } from '../planning/stored-plans.ts';
import type { StoredRun } from '../planning/stored-plans.ts';
import { endRuns } from '../runs/end-runs.ts';
import { ladderColumns, toLadderRun } from '../rungs/ladder-sql.ts';
import type { LadderRow } from '../rungs/ladder-sql.ts';
import { insertSearch } from '../rungs/search-row.ts';
import { countTasks, insertTasks } from '../tasks/insert-tasks.ts';
import type { NewTask } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';
import { readCluster } from './read-cluster.ts';
import { readSpec } from './read-spec.ts';
import { reuseTrained } from './reuse-trained.ts';
import { IDLE_RUNS } from '../state-sql.ts';

/** The result of INDEX. */
export interface Indexed {
  readonly dataset: Dataset;
  readonly weights: readonly WeightsInfo[];
}

/**
 * Plans a sweep whose images and weights are known and inserts its tasks with their forecasts. Runs that the backbones or the classes do not
 * allow become INFEASIBLE. The caller has locked the sweep.
 *
 * @throws InvalidRequestError when weights are missing
 */
export async function writePlan(tx: StoreTransaction, sweepId: string, indexed: Indexed): Promise<void> {
  await planRuns(tx, sweepId, indexed, null);
}

/**
 * Plans the runs that an extension has added to a planned sweep, with what is there: stored features, and trained heads where runs don't
 * pause at rungs. The caller has locked the sweep.
 *
 * @throws InvalidRequestError when a run has weights that the sweep's other runs don't have
 */
export async function extendPlan(tx: StoreTransaction, sweepId: string, addedRunIds: readonly string[]): Promise<void> {
  const indexed = await readPlanned(tx, sweepId);
  if (indexed !== null) await planRuns(tx, sweepId, indexed, addedRunIds);
}

/** @param addedRunIds null: the sweep is planned for the first time, with all of its runs */
async function planRuns(
  tx: StoreTransaction,
  sweepId: string,
  indexed: Indexed,
  addedRunIds: readonly string[] | null,
): Promise<void> {
  const spec = await readSpec(tx, sweepId);
  const known = addedRunIds === null ? null : await readPolicy(tx, sweepId);
  const { runs: all, search } = await draftSearch(tx, sweepId, spec, { runIds: addedRunIds, policy: known });
  if (known === null) await insertSearch(tx, sweepId, search.policy);
  if (all.length === 0) return;
  const isExtension = addedRunIds !== null;
  const { ended, heads: trainedHeads } = await reuseTrained(tx, sweepId, spec, all, { ...indexed, isExtension });
  const runs = all.filter(({ runId }) => !ended.has(runId));
  if (runs.length === 0) return;
  const cluster = await readCluster(tx);
  const dataset = {
    digest: indexed.dataset.digest,
    imageCounts: countImages(indexed.dataset.classCounts),
    classCount: indexed.dataset.classNames.length,
  };
  const { weights } = indexed;
  const { objective, testPolicy } = spec;
  const plan = await tx.during(
    tx.store.planner.planStored({
      sweepId,
      objective,
      testPolicy,
      classNames: indexed.dataset.classNames,
      runs,
      dataset,
      weights,
      cluster: clusterDataOf(cluster),
      trainedHeads,
    }),
  );
  if ('unresolved' in plan) {
    throw new InvalidRequestError([{ field: 'index.weights', description: plan.unresolved }]);
  }
  for (const { runId, reason } of plan.infeasible.toSorted((a, b) => (a.runId < b.runId ? -1 : 1))) {
    await endRuns(tx, [runId], { to: 'INFEASIBLE', reason });
  }
  if (plan.infeasible.length === runs.length) return;
  const context = costContextOf({ objective, dataset, cluster });
  const drafted = addedRunIds === null ? plan.tasks : renamed(plan.tasks, sweepId, await countTasks(tx, sweepId));
  const planned = new Set(drafted);
  const claimed = await claimFeatures(tx, drafted);
  const tasks = claimed.map((task) => (planned.has(task) ? task : reforecast(context, task)));
  await insertTasks(tx, sweepId, withRungs(tasks, search));
  await recordSharedHeads(tx, plan);
  const slotCount = Math.max(1, Math.floor(cluster.slotCount));
  await tx.query(
    `UPDATE sweeps
        SET planned_slot_count = $2,
            forecast_wall_seconds = $3 + CASE WHEN $5 THEN coalesce(forecast_wall_seconds, 0) ELSE 0 END,
            forecast_alone_seconds = $4 + CASE WHEN $5 THEN coalesce(forecast_alone_seconds, 0) ELSE 0 END
      WHERE sweep_id = $1`,
    [
      sweepId,
      cluster.slotCount,
      plan.aroundSeconds + makespanSeconds(timed({ tasks }), slotCount),
      plan.aloneSeconds,
      isExtension,
    ],
  );
}

/** Returns planned tasks under identities that the sweep has not used. */
function renamed(tasks: readonly PlannedTask[], sweepId: string, taskCount: number): PlannedTask[] {
  const rename = (taskId: string): string => `${sweepId}-x${taskCount}${taskId.slice(sweepId.length)}`;
  return tasks.map((task) => ({ ...task, taskId: rename(task.taskId), dependsOn: task.dependsOn.map(rename) }));
}

/** Reads the policy by which a planned sweep compares its runs; null: it was planned before policies were recorded. */
async function readPolicy(tx: StoreTransaction, sweepId: string): Promise<SearchPolicy | null> {
  const { rows } = await tx.query<{ policy: SearchPolicy }>('SELECT policy FROM searches WHERE sweep_id = $1', [
    sweepId,
  ]);
  return rows[0]?.policy ?? null;
}

/** Reads the result of INDEX; null before the sweep is planned. */
async function readPlanned(tx: StoreTransaction, sweepId: string): Promise<Indexed | null> {
  const { rows } = await tx.query<{
    weights: WeightsInfo[] | null;
    dataset_id: string;
    digest: string;
    path: string;
    class_names: string[];
    class_counts: Dataset['classCounts'];
  }>(
    `SELECT s.weights, d.dataset_id, d.digest, d.path, d.class_names, d.class_counts
       FROM sweeps s JOIN datasets d ON d.dataset_id = s.dataset_id WHERE s.sweep_id = $1 AND s.planned`,
    [sweepId],
  );
  const [row] = rows;
  if (row === undefined || row.weights === null) return null;
  const { weights, dataset_id: datasetId, digest, path, class_names: classNames, class_counts: classCounts } = row;
  return { weights, dataset: { datasetId, digest, path, classNames, classCounts, problems: [] } };
}

/** The policy of a sweep and the way of each run over its rungs. */
interface DraftSearch {
  readonly policy: SearchPolicy;
  readonly paths: ReadonlyMap<string, readonly RungStep[]>;
}

/**
 * Reads the runs that can still be trained, by number, and resolves the policy that compares them. Where runs pause at rungs, those with a
 * head wait after it, and the others fine-tune to their first rung. Parameters are parsed in the planner's thread.
 */
async function draftSearch(
  tx: StoreTransaction,
  sweepId: string,
  spec: SweepSpec,
  known: { readonly runIds: readonly string[] | null; readonly policy: SearchPolicy | null },
): Promise<{ readonly runs: readonly StoredRun[]; readonly search: DraftSearch }> {
  const { rows } = await tx.query<LadderRow & { run_id: string; parameters: string }>(
    `SELECT r.run_id, r.parameters::text AS parameters, ${ladderColumns('r')} FROM runs r
      WHERE r.sweep_id = $1 AND r.state IN ${IDLE_RUNS} AND ($2::text[] IS NULL OR r.run_id = ANY($2)) ORDER BY r.run_index`,
    [sweepId, known.runIds],
  );
  const policy = known.policy ?? policyOf(spec, rows.map(toLadderRun));
  const paths = new Map(rows.map((row) => [row.run_id, pathOf(policy.ladder, toLadderRun(row))]));
  const runs = rows.map((row): StoredRun => {
    const run = { runId: row.run_id, index: row.run_index, parameters: row.parameters };
    if (!pausesAtRungs(policy)) return run;
    if (row.head_epochs > 0) return { ...run, segment: null };
    return { ...run, segment: { from: 0, to: pauseEpoch(policy, paths.get(row.run_id) ?? [], null) } };
  });
  return { runs, search: { policy, paths } };
}

/** Adds to fine-tunings whose runs pause the rung that they train to. */
function withRungs(tasks: readonly PlannedTask[], { policy, paths }: DraftSearch): NewTask[] {
  return tasks.map((task) => {
    const path = paths.get(task.runIds[0] ?? '');
    if (task.stage !== 'FINE_TUNE' || path === undefined || !pausesAtRungs(policy)) return task;
    return { ...task, pauseEpoch: pauseEpoch(policy, path, null), rung: stepAfter(path, null)?.rung ?? null };
  });
}

/** Updates the forecast of a FEATURES task, some of whose sets are stored already or computed by another sweep. */
function reforecast(context: CostContext, task: PlannedTask): PlannedTask {
  return task.stage === 'FEATURES' ? { ...task, forecast: forecastFeatures(context, task.featureSets) } : task;
}

async function recordSharedHeads(tx: StoreTransaction, { sharedHeads }: Pick<Plan, 'sharedHeads'>): Promise<void> {
  if (sharedHeads.size === 0) return;
  await tx.query(
    `UPDATE runs r SET head_run_id = h.head_run_id
       FROM unnest($1::text[], $2::text[]) AS h (run_id, head_run_id)
      WHERE r.run_id = h.run_id`,
    [[...sharedHeads.keys()], [...sharedHeads.values()]],
  );
}
