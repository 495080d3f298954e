import { availableParallelism, totalmem } from 'node:os';
import { NO_CORRECTIONS } from '../../core/planner/cost/corrections.ts';
import type { Cluster } from '../../core/planner/plan.ts';

/**
 * Returns the slots that a cluster on this machine would have, for a forecast before anything runs. A cluster that runs corrects its
 * forecasts by what it has measured; this one can't.
 */
export function localSlots(trainers: number, hasGpu: boolean): Cluster {
  const threadCount = Math.max(1, Math.floor(availableParallelism() / trainers));
  return {
    slotCount: trainers,
    device: { kind: hasGpu ? 'gpu' : 'cpu', threadCount },
    memoryBytes: Math.floor(totalmem() / trainers),
    corrections: NO_CORRECTIONS,
  };
}
