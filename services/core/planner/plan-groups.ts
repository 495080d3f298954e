import { layOut } from './lay-out.ts';
import type { PlanInput, PlannedRun, PlannedTask } from './plan.ts';
import { costContextOf } from './plan-sweep.ts';
import { needsOf } from './run-needs.ts';
import type { RunNeeds } from './run-needs.ts';
import { fineTuneGroups, headGroups } from './train-group.ts';
import { digestsOf } from './weights-digests.ts';

/** A run with training that nobody has begun. */
export interface UnbegunRun extends PlannedRun {
  /** The run that trains its head: itself, or the one that it shares it with. */
  readonly headRunId: string;
  /** Which of its stages nobody has begun. */
  readonly stages: ReadonlySet<'HEAD' | 'FINE_TUNE'>;
}

export type PlanGroupsInput = Omit<PlanInput, 'runs'> & { readonly runs: readonly UnbegunRun[] };

/**
 * Plans anew in which groups runs are trained: as few tasks as it takes to end soonest on the slots that are there.
 *
 * @returns HEAD and FINE_TUNE tasks, which know only each other to wait for
 */
export function planGroups(input: PlanGroupsInput): PlannedTask[] {
  const digestOf = digestsOf(input.weights);
  const context = costContextOf(input);
  const { memoryBytes } = input.cluster;
  const headRuns = new Map(input.runs.map(({ runId, headRunId }) => [runId, headRunId]));
  const needs = (stage: 'HEAD' | 'FINE_TUNE'): RunNeeds[] =>
    input.runs
      .filter(({ stages }) => stages.has(stage))
      .sort((a, b) => a.index - b.index)
      .map((run) => needsOf(run, input.dataset.digest, digestOf));
  const groups = [
    ...headGroups(context, needs('HEAD'), headRuns, memoryBytes),
    ...fineTuneGroups(context, needs('FINE_TUNE'), memoryBytes),
  ];
  return layOut(input, headRuns, [], groups);
}
