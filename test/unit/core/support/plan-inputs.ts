import { NO_CORRECTIONS } from '../../../../services/core/planner/cost/corrections.ts';
import type { Cluster, PlanInput } from '../../../../services/core/planner/plan.ts';

/** Slots of a small machine that has measured nothing. */
export function clusterOf(slotCount: number, changes: Partial<Cluster> = {}): Cluster {
  return {
    slotCount,
    device: { kind: 'cpu', threadCount: 2 },
    memoryBytes: 0,
    corrections: NO_CORRECTIONS,
    ...changes,
  };
}

/** Cats-vs-dogs "small". */
export const SMALL_DATASET: PlanInput['dataset'] = {
  digest: 'd',
  imageCounts: { train: 2_000, validation: 1_000, test: 2_000 },
  classCount: 2,
};
