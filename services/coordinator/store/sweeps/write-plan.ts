import { InvalidRequestError } from '../../../core/errors.ts';
import { planCost } from '../../../core/planner/cost/plan-cost.ts';
import { forecastFeatures } from '../../../core/planner/cost/task-cost.ts';
import type { CostContext } from '../../../core/planner/cost/task-cost.ts';
import type { Plan, PlanInput, PlannedRun, PlannedTask } from '../../../core/planner/plan.ts';
import { costContextOf, infeasibleRuns, planSweep } from '../../../core/planner/plan-sweep.ts';
import { needsOf } from '../../../core/planner/run-needs.ts';
import { resolverOf, UnresolvedWeightsError } from '../../../core/planner/weights-resolver.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
import type { Parameters, SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { Dataset } from '../../../core/dataset.ts';
import type { WeightsInfo } from '../../../core/task.ts';
import { claimFeatures } from '../features/claim-features.ts';
import { endRuns } from '../runs/end-runs.ts';
import type { Store } from '../store.ts';
import { insertTasks } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';
import { countImages, readCluster } from './read-cluster.ts';

/** What INDEX found. */
export interface Indexed {
  readonly dataset: Dataset;
  readonly weights: readonly WeightsInfo[];
}

/**
 * Plans a sweep whose images and weights are known and writes its tasks, with what they are expected to take. Runs that the
 * bases do not allow become INFEASIBLE. The caller has locked the sweep.
 *
 * @throws InvalidRequestError for weights that are missing
 */
export async function writePlan(tx: StoreTransaction, store: Store, sweepId: string, indexed: Indexed): Promise<void> {
  const runs = await leaveOutInfeasible(tx, await readPlannedRuns(tx, sweepId), indexed.weights);
  if (runs.length === 0) return;
  const spec = await readSpec(tx, sweepId);
  const input: PlanInput = {
    sweepId,
    objective: spec.objective,
    runs,
    dataset: {
      digest: indexed.dataset.digest,
      imageCounts: countImages(indexed.dataset.classCounts),
      classCount: indexed.dataset.classNames.length,
    },
    weights: indexed.weights,
    cluster: await readCluster(tx, store),
  };
  const plan = planSweep(input);
  const context = costContextOf(input, resolverOf(input.weights));
  const claimed = await claimFeatures(tx, plan.tasks);
  const tasks = claimed.map((task) => forecastAgain(context, task));
  await insertTasks(tx, sweepId, tasks);
  await noteSharedHeads(tx, plan);
  await noteForecast(tx, sweepId, { ...plan, tasks }, input, spec.testPolicy);
}

/** Runs that may still be trained, by number. */
async function readPlannedRuns(tx: StoreTransaction, sweepId: string): Promise<PlannedRun[]> {
  const { rows } = await tx.query<{ run_id: string; run_index: number; parameters: Parameters }>(
    `SELECT run_id, run_index, parameters FROM runs
      WHERE sweep_id = $1 AND state IN ('QUEUED', 'PAUSED') ORDER BY run_index`,
    [sweepId],
  );
  return rows.map((row) => ({
    runId: row.run_id,
    index: row.run_index,
    config: compileRunConfig(row.parameters),
  }));
}

async function leaveOutInfeasible(
  tx: StoreTransaction,
  runs: readonly PlannedRun[],
  weights: readonly WeightsInfo[],
): Promise<readonly PlannedRun[]> {
  try {
    const infeasible = new Map(infeasibleRuns({ runs, weights }).map((run) => [run.runId, run.reason]));
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

/** Some sets of a FEATURES task may be stored already, or be made by another sweep. */
function forecastAgain(context: CostContext, task: PlannedTask): PlannedTask {
  return task.stage === 'FEATURES' ? { ...task, forecast: forecastFeatures(context, task.featureSets) } : task;
}

async function noteSharedHeads(tx: StoreTransaction, { sharedHeads }: Plan): Promise<void> {
  if (sharedHeads.size === 0) return;
  await tx.query(
    `UPDATE runs r SET head_run_id = h.head_run_id
       FROM unnest($1::text[], $2::text[]) AS h (run_id, head_run_id)
      WHERE r.run_id = h.run_id`,
    [[...sharedHeads.keys()], [...sharedHeads.values()]],
  );
}

async function noteForecast(
  tx: StoreTransaction,
  sweepId: string,
  plan: Plan,
  input: PlanInput,
  testPolicy: SweepSpec['testPolicy'],
): Promise<void> {
  const resolver = resolverOf(input.weights);
  const context = costContextOf(input, resolver);
  const needs = input.runs.map((run) => needsOf(run, input.dataset.digest, resolver));
  const cost = planCost(plan, context, needs, input.cluster.slotCount, testPolicy);
  await tx.query(
    `UPDATE sweeps SET planned_slot_count = $2, forecast_wall_seconds = $3, forecast_alone_seconds = $4
      WHERE sweep_id = $1`,
    [sweepId, input.cluster.slotCount, cost.wallSeconds, cost.slotSecondsAlone],
  );
}
