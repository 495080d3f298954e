import type { PlanInput } from './plan.ts';
import { planSweep } from './plan-sweep.ts';

/** Returns the forecast slot-seconds of training each run again from its stored features. */
export function repeatSeconds(input: PlanInput): ReadonlyMap<string, number> {
  return new Map(
    input.runs.map((run) => {
      const { tasks } = planSweep({ ...input, runs: [run], trainedHeads: new Map() });
      const trained = tasks.filter(({ stage }) => stage !== 'FEATURES');
      return [run.runId, trained.reduce((sum, { forecast }) => sum + forecast.seconds, 0)];
    }),
  );
}
