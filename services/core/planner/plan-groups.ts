import { layOut } from './lay-out.ts';
import type { PlanInput, PlannedRun, PlannedTask } from './plan.ts';
import { costContextOf } from './plan-sweep.ts';
import { needsOf } from './run-needs.ts';
import type { RunNeeds } from './run-needs.ts';
import { fineTuneGroups, headGroups } from './train-group.ts';
import { digestsOf } from './weights-digests.ts';

/** A run with training that no attempt has started. */
export interface UnbegunRun extends PlannedRun {
  /** Run that trains its head: itself, or the one that it shares the head with. */
  readonly headRunId: string;
  /** Stages of the run that no attempt has started. */
  readonly stages: ReadonlySet<'HEAD' | 'FINE_TUNE'>;
}

export type PlanGroupsInput = Omit<PlanInput, 'runs'> & { readonly runs: readonly UnbegunRun[] };

/**
 * Re-plans the groups in which runs are trained: as few tasks as necessary to end earliest on the available slots.
 *
 * @returns HEAD and FINE_TUNE tasks, whose only dependencies are each other.
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
