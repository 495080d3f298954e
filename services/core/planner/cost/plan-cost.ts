import type { PlanCost } from '../../records/plan.ts';
import type { SweepSpec } from '../../sweep/sweep-spec.ts';
import { groupBy } from '../grouping.ts';
import type { Plan, PlannedRun, PlannedTask } from '../plan.ts';
import type { RunNeeds } from '../run-needs.ts';
import { makespanSeconds } from './makespan.ts';
import type { TimedTask } from './makespan.ts';
import { aloneSeconds, forecastEvaluation, forecastIndex } from './task-cost.ts';
import type { CostContext, TaskForecast } from './task-cost.ts';

/** Returns the expected cost of a plan. @param needs needs of the plan's runs */
export function planCost(
  plan: Plan,
  context: CostContext,
  needs: readonly RunNeeds[],
  slotCount: number,
  testPolicy: SweepSpec['testPolicy'],
): PlanCost {
  const slots = Math.max(1, Math.floor(slotCount));
  const index = forecastIndex(context);
  const evaluations = forecastEvaluations(
    context,
    needs.map(({ run }) => run),
    testPolicy,
  );
  const heads = ofStage(plan, 'HEAD');
  const fineTunes = ofStage(plan, 'FINE_TUNE');
  const forecasts = [index, ...plan.tasks.map(({ forecast }) => forecast), ...evaluations];
  return {
    slotSeconds: sum(forecasts.map(({ seconds }) => seconds)),
    slotSecondsAlone:
      index.seconds +
      sum(needs.map(({ run, fineTuneCut }) => aloneSeconds(context, run.config, fineTuneCut))) +
      sum(evaluations.map(({ seconds }) => seconds)),
    wallSeconds: index.seconds + makespanSeconds(timed(plan), slots) + makespanSeconds(apart(evaluations), slots),
    slotCount: slots,
    extractionCount: ofStage(plan, 'FEATURES').length,
    featureBytes: sum(plan.tasks.map(({ forecast }) => forecast.featureBytes)),
    headCount: sum(heads.map(({ runIds }) => runIds.length)),
    headTaskCount: heads.length,
    fineTuneCount: sum(fineTunes.map(({ runIds }) => runIds.length)),
    fineTuneTaskCount: fineTunes.length,
    memoryBytes: Math.max(0, ...forecasts.map(({ memoryBytes }) => memoryBytes)),
  };
}

/**
 * Forecasts the evaluations on the test split before the winner is known: every run's base with `every_run`; otherwise
 * the first run's base and the most expensive one, in case the winner has another.
 */
export function forecastEvaluations(
  context: CostContext,
  runs: readonly PlannedRun[],
  testPolicy: SweepSpec['testPolicy'],
): TaskForecast[] {
  const bases = groupBy(
    [...runs].sort((a, b) => a.index - b.index),
    ({ config }) => baseKey(config),
  );
  const forecasts = bases.map((group) =>
    forecastEvaluation(
      context,
      group.map(({ config }) => config),
    ),
  );
  const [first, ...others] = forecasts;
  if (testPolicy === 'every_run' || first === undefined || others.length === 0) return forecasts;
  return [first, others.reduce((most, other) => (other.seconds > most.seconds ? other : most))];
}

/** Returns a key; runs with the same key are evaluated in one task. */
export function baseKey({ backbone, imageSize }: PlannedRun['config']): string {
  return JSON.stringify([backbone.name, backbone.weights, imageSize]);
}

function ofStage(plan: Plan, stage: PlannedTask['stage']): PlannedTask[] {
  return plan.tasks.filter((task) => task.stage === stage);
}

/** Returns the tasks of a plan with their expected seconds. */
export function timed(plan: Pick<Plan, 'tasks'>): TimedTask[] {
  return plan.tasks.map(({ taskId, dependsOn, forecast }) => ({ taskId, dependsOn, seconds: forecast.seconds }));
}

function apart(forecasts: readonly TaskForecast[]): TimedTask[] {
  return forecasts.map(({ seconds }, index) => ({ taskId: String(index), dependsOn: [], seconds }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
