import { forecastEvaluation } from '../../../core/planner/cost/task-cost.ts';
import type { PlannedEvaluation } from '../../../core/planner/plan.ts';
import { costContextOf } from '../../../core/planner/plan-sweep.ts';
import type { RunConfig } from '../../../core/run-config.ts';
import { readCluster } from '../sweeps/read-cluster.ts';
import { readIndexed } from '../sweeps/read-indexed.ts';
import type { NewTask } from '../tasks/insert-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';

/** Returns evaluations with their forecasts. @param configs by run */
export async function forecastEvaluations(
  tx: StoreTransaction,
  sweepId: string,
  evaluations: readonly PlannedEvaluation[],
  configs: ReadonlyMap<string, RunConfig>,
): Promise<NewTask[]> {
  const indexed = await readIndexed(tx, sweepId);
  if (indexed === null) return [...evaluations];
  const context = costContextOf({ ...indexed, cluster: await readCluster(tx) });
  return evaluations.map((evaluation) => {
    const evaluated = evaluation.runIds.flatMap((runId) => configs.get(runId) ?? []);
    return { ...evaluation, forecast: forecastEvaluation(context, evaluated) };
  });
}
