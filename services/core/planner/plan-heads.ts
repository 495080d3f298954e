import { makespanSeconds } from './cost/makespan.ts';
import type { PlanInput } from './plan.ts';
import { costContextOf } from './plan-sweep.ts';
import { needsOf } from './run-needs.ts';
import { chooseParts } from './split-groups.ts';
import { headGroups } from './train-group.ts';
import type { DraftTask } from './train-group.ts';
import { resolverOf } from './weights-resolver.ts';

/** A HEAD task without identity: what `planSweep` would put into it. */
export type PlannedHeads = DraftTask & { readonly stage: 'HEAD' };

/**
 * Plans anew in which groups heads are trained, for heads that nobody has begun: as few tasks as it takes to end soonest on the
 * slots that are there. Each run of the input trains a head of its own.
 */
export function planHeads(input: PlanInput): PlannedHeads[] {
  const resolver = resolverOf(input.weights);
  const context = costContextOf(input, resolver);
  const runs = [...input.runs].sort((a, b) => a.index - b.index);
  const needs = runs.map((run) => needsOf(run, input.dataset.digest, resolver));
  const own = new Map(runs.map(({ runId }) => [runId, runId]));
  const groups = headGroups(context, needs, own, input.cluster.memoryBytes);
  const slotCount = Math.max(1, Math.floor(input.cluster.slotCount));
  const layOut = (parts: readonly number[]): DraftTask[] =>
    groups.flatMap((group, index) => group.cut(parts[index] ?? 1));
  const parts = chooseParts(groups, slotCount, groups.length, (candidate) =>
    makespanSeconds(
      layOut(candidate).map(({ forecast }, index) => ({
        taskId: String(index),
        seconds: forecast.seconds,
        dependsOn: [],
      })),
      slotCount,
    ),
  );
  return layOut(parts).map((task) => ({ ...task, stage: 'HEAD' }));
}
