import { InvalidRequestError } from '../../../core/errors.ts';
import { makespanSeconds } from '../../../core/planner/cost/makespan.ts';
import { timed } from '../../../core/planner/cost/plan-cost.ts';
import { forecastFeatures } from '../../../core/planner/cost/task-cost.ts';
import type { CostContext } from '../../../core/planner/cost/task-cost.ts';
import type { Plan, PlannedTask } from '../../../core/planner/plan.ts';
import { costContextOf } from '../../../core/planner/plan-sweep.ts';
import { extendPolicy } from '../../../core/stopping/extend-policy.ts';
import { pathOf } from '../../../core/stopping/ladder.ts';
import type { LadderRun, RungStep } from '../../../core/stopping/ladder.ts';
import { pauseEpoch, pausesAtRungs, policyOf, waitsAfterHead } from '../../../core/stopping/policy.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import { screenPolicyOf } from '../../../core/stopping/screen/keep.ts';
import { groupByKey } from '../../../core/group-by-key.ts';
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
import { insertSearch, lockSearch, updatePolicy } from '../rungs/search-row.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { countTasks, insertTasks } from '../tasks/insert-tasks.ts';
import type { NewTask } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';
import { readCluster } from './read-cluster.ts';
import type { Indexed } from './read-indexed.ts';
import { readSpec } from './read-spec.ts';
import { withoutScreened } from './without-screened.ts';
import { draftProbes, insertProbes } from './write-probes.ts';
import { reuseTrained } from './reuse-trained.ts';
import { IDLE_RUNS } from '../state-sql.ts';

/**
 * Plans a sweep whose images and weights are known and inserts its tasks with their forecasts. Runs that the backbones or the classes do not
 * allow become INFEASIBLE. The caller has locked the sweep.
 *
 * @throws InvalidRequestError when weights are missing
 */
export async function writePlan(tx: StoreTransaction, sweepId: string, indexed: Indexed): Promise<void> {
  await planRuns(tx, sweepId, indexed, 'ALL');
}

/** Plans the runs of a sweep that its screen has left, once it has decided. The caller has locked the sweep. */
export async function planScreened(tx: StoreTransaction, sweepId: string): Promise<void> {
  const indexed = await readPlanned(tx, sweepId);
  if (indexed !== null) await planRuns(tx, sweepId, indexed, 'SCREENED');
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

/**
 * Runs to be planned: all, for the first time; those that a screen has left, when it has decided; or those that an extension has added.
 */
type PlanScope = 'ALL' | 'SCREENED' | readonly string[];

async function planRuns(tx: StoreTransaction, sweepId: string, indexed: Indexed, scope: PlanScope): Promise<void> {
  const spec = await readSpec(tx, sweepId);
  const addedRunIds = typeof scope === 'string' ? null : scope;
  const feasible = await readFeasible(tx, sweepId, spec, indexed, addedRunIds);
  const known = scope === 'ALL' ? null : await lockSearch(tx, sweepId);
  const { runs: drafted, search } = await draftSearch(tx, sweepId, spec, feasible, known);
  if (known === null) {
    const probes = await draftProbes(tx, sweepId, spec, drafted, indexed);
    const screen = probes === null ? null : screenPolicyOf(spec, probes.length);
    await insertSearch(tx, sweepId, screen === null ? search.policy : { ...search.policy, screen });
    if (probes !== null && screen !== null) {
      await insertProbes(tx, sweepId, probes);
      return;
    }
  } else await updatePolicy(tx, known, search.policy);
  const all = addedRunIds === null ? drafted : await withoutScreened(tx, sweepId, drafted);
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
  const context = costContextOf({ objective, dataset, cluster });
  const named = isExtension ? renamed(plan.tasks, sweepId, await countTasks(tx, sweepId)) : plan.tasks;
  const planned = new Set(named);
  const claimed = await claimFeatures(tx, named);
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
      scope !== 'ALL',
    ],
  );
}

/** Returns planned tasks under identities that the sweep has not used. */
function renamed(tasks: readonly PlannedTask[], sweepId: string, taskCount: number): PlannedTask[] {
  const rename = (taskId: string): string => `${sweepId}-x${taskCount}${taskId.slice(sweepId.length)}`;
  return tasks.map((task) => ({ ...task, taskId: rename(task.taskId), dependsOn: task.dependsOn.map(rename) }));
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

interface IdleRow extends LadderRow {
  readonly run_id: string;
  readonly parameters: string;
}

/**
 * Reads the runs that are to be planned, by number, and ends those that the backbones or the classes do not allow: the rungs of a sweep
 * follow from what can be trained. Parameters are parsed in the planner's thread.
 */
async function readFeasible(
  tx: StoreTransaction,
  sweepId: string,
  { constraints }: SweepSpec,
  { dataset: { classNames } }: Indexed,
  addedRunIds: readonly string[] | null,
): Promise<IdleRow[]> {
  const { rows } = await tx.query<IdleRow>(
    `SELECT r.run_id, r.parameters::text AS parameters, ${ladderColumns('r')} FROM runs r
      WHERE r.sweep_id = $1 AND r.state IN ${IDLE_RUNS} AND ($2::text[] IS NULL OR r.run_id = ANY($2)) ORDER BY r.run_index`,
    [sweepId, addedRunIds],
  );
  const { infeasible, costs } = await tx.during(
    tx.store.planner.examine({ runs: rows.map(toStoredRun), classNames, ...(constraints && { constraints }) }),
  );
  await writeCosts(tx, costs);
  const ordered = infeasible.toSorted((a, b) => (a.runId < b.runId ? -1 : 1));
  for (const [reason, runs] of groupByKey(ordered, (run) => run.reason)) {
    const runIds = runs.map(({ runId }) => runId);
    await endRuns(tx, runIds, { to: 'INFEASIBLE', reason });
  }
  const left = new Set(infeasible.map(({ runId }) => runId));
  return rows.filter((row) => !left.has(row.run_id));
}

/** Stores what the models of runs cost. @param costs as `ExaminedRuns` has them */
async function writeCosts(tx: StoreTransaction, costs: string): Promise<void> {
  await tx.query(
    `UPDATE runs r SET model_bytes = c.model_bytes, parameter_count = c.parameter_count, flops = c.flops
       FROM jsonb_to_recordset($1::jsonb) AS c (run_id text, model_bytes bigint, parameter_count bigint, flops bigint)
      WHERE r.run_id = c.run_id`,
    [costs],
  );
}

function toStoredRun({ run_id: runId, run_index: index, parameters }: IdleRow): StoredRun {
  return { runId, index, parameters };
}

/**
 * Resolves the policy that compares runs. Where they pause at rungs, runs that wait after their head are planned to its end, and the others
 * to their first rung of fine-tuning.
 *
 * @param known search of a sweep that is extended; null: the sweep is planned for the first time
 */
async function draftSearch(
  tx: StoreTransaction,
  sweepId: string,
  spec: SweepSpec,
  rows: readonly IdleRow[],
  known: LockedSearch | null,
): Promise<{ readonly runs: readonly StoredRun[]; readonly search: DraftSearch }> {
  const policy =
    known === null
      ? policyOf(spec, rows.map(toLadderRun))
      : extendPolicy(known.policy, spec, ...(await readComparison(tx, sweepId)));
  const paths = new Map(rows.map((row) => [row.run_id, pathOf(policy.ladder, toLadderRun(row))]));
  const runs = rows.map((row): StoredRun => {
    const run = toStoredRun(row);
    if (!pausesAtRungs(policy)) return run;
    const path = paths.get(row.run_id) ?? [];
    return { ...run, segment: waitsAfterHead(policy, path) ? null : { from: 0, to: pauseEpoch(policy, path, null) } };
  });
  return { runs, search: { policy, paths } };
}

/** Reads all runs of a sweep that are compared, and whether a rule has decided about them. */
async function readComparison(tx: StoreTransaction, sweepId: string): Promise<[LadderRun[], boolean]> {
  const { rows } = await tx.query<LadderRow>(
    `SELECT ${ladderColumns('r')} FROM runs r WHERE r.sweep_id = $1 AND r.state <> 'INFEASIBLE' AND r.repeat_of IS NULL ORDER BY r.run_index`,
    [sweepId],
  );
  const { rowCount } = await tx.query(
    `SELECT 1 FROM decisions WHERE sweep_id = $1 AND rule <> '' AND kind <> 'SCREEN' LIMIT 1`,
    [sweepId],
  );
  return [rows.map(toLadderRun), rowCount !== 0];
}

/** Adds to fine-tunings whose runs pause the rung that they train to. */
function withRungs(tasks: readonly PlannedTask[], { policy, paths }: DraftSearch): NewTask[] {
  return tasks.map((task) => {
    const path = paths.get(task.runIds[0] ?? '');
    if (task.stage !== 'FINE_TUNE' || path === undefined || !pausesAtRungs(policy)) return task;
    const first = path.find(({ stage }) => stage === 'FINE_TUNE');
    return { ...task, pauseEpoch: pauseEpoch(policy, path, null), rung: first?.rung ?? null };
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
