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
import { insertTasks } from '../tasks/insert-tasks.ts';
import type { NewTask } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';
import { readCluster } from './read-cluster.ts';
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
  const spec = await readSpec(tx, sweepId);
  const { runs: all, search } = await draftSearch(tx, sweepId, spec);
  await insertSearch(tx, sweepId, search.policy);
  if (all.length === 0) return;
  const { ended, heads: trainedHeads } = await reuseTrained(tx, sweepId, spec, all, indexed);
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
  const planned = new Set(plan.tasks);
  const claimed = await claimFeatures(tx, plan.tasks);
  const tasks = claimed.map((task) => (planned.has(task) ? task : reforecast(context, task)));
  await insertTasks(tx, sweepId, withRungs(tasks, search));
  await recordSharedHeads(tx, plan);
  const slotCount = Math.max(1, Math.floor(cluster.slotCount));
  await tx.query(
    `UPDATE sweeps SET planned_slot_count = $2, forecast_wall_seconds = $3, forecast_alone_seconds = $4
      WHERE sweep_id = $1`,
    [sweepId, cluster.slotCount, plan.aroundSeconds + makespanSeconds(timed({ tasks }), slotCount), plan.aloneSeconds],
  );
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
): Promise<{ readonly runs: readonly StoredRun[]; readonly search: DraftSearch }> {
  const { rows } = await tx.query<LadderRow & { run_id: string; parameters: string }>(
    `SELECT r.run_id, r.parameters::text AS parameters, ${ladderColumns('r')} FROM runs r
      WHERE r.sweep_id = $1 AND r.state IN ${IDLE_RUNS} ORDER BY r.run_index`,
    [sweepId],
  );
  const policy = policyOf(spec, rows.map(toLadderRun));
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

async function readSpec(tx: StoreTransaction, sweepId: string): Promise<SweepSpec> {
  const { rows } = await tx.query<{ spec: SweepSpec }>('SELECT spec FROM sweeps WHERE sweep_id = $1', [sweepId]);
  if (!rows[0]) throw new Error(`Sweep ${sweepId} vanished while it was locked.`);
  return rows[0].spec;
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
