import { layOut } from './lay-out.ts';
import type { PlanInput, PlannedTask } from './plan.ts';
import { costContextOf, featureTasksOf } from './plan-sweep.ts';
import { needsOf } from './run-needs.ts';
import { fineTuneGroups } from './train-group.ts';
import { digestsOf } from './weights-digests.ts';

/**
 * Plans the fine-tuning of runs that are promoted together, each by its segment: one task for runs that share each augmented batch.
 *
 * @returns FEATURES for the frozen parts, and FINE_TUNE, which depends on them only.
 */
export function planPromotions(input: PlanInput): PlannedTask[] {
  const digestOf = digestsOf(input.weights);
  const context = costContextOf(input);
  const runs = [...input.runs].sort((a, b) => a.index - b.index);
  const needs = runs.map((run) => needsOf(run, input.dataset.digest, digestOf));
  const sets = needs.flatMap(({ fineTune }) => fineTune);
  const groups = fineTuneGroups(context, needs, input.cluster.memoryBytes);
  return layOut(input, new Map(), featureTasksOf(context, sets), groups);
}

/**
 * Returns the forecast slot-seconds of each run's segment on its own, with feature sets that are neither stored nor about to be.
 *
 * @param hasFeatures whether a feature set needs no task.
 */
export function segmentSeconds(input: PlanInput, hasFeatures: (key: string) => boolean): ReadonlyMap<string, number> {
  const digestOf = digestsOf(input.weights);
  const context = costContextOf(input);
  return new Map(
    input.runs.map((run) => {
      const needs = needsOf(run, input.dataset.digest, digestOf);
      const missing = needs.fineTune.filter(({ key }) => !hasFeatures(key));
      const [group] = fineTuneGroups(context, [needs], 0);
      const tasks = [...featureTasksOf(context, missing), ...(group?.cut(1) ?? [])];
      return [run.runId, tasks.reduce((sum, { forecast }) => sum + forecast.seconds, 0)];
    }),
  );
}

/** Returns the keys of the feature sets that the segments of runs read. */
export function segmentFeatures({ runs, dataset, weights }: PlanInput): string[] {
  const digestOf = digestsOf(weights);
  const needs = runs.map((run) => needsOf(run, dataset.digest, digestOf));
  return [...new Set(needs.flatMap(({ fineTune }) => fineTune.map(({ key }) => key)))];
}
