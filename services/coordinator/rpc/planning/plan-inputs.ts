import { z } from 'zod';
import { correctionsOf } from '../../../core/planner/cost/corrections.ts';
import type { Cluster } from '../../../core/planner/plan.ts';
import type { KnownImages } from '../../../core/planner/preview-sweep.ts';

const COUNT = z.int().min(0).max(1e9);

/**
 * The inputs of a plan besides its spec, as data that threads and page tokens carry. Because the token carries them, all pages
 * belong to one plan, even if slots change in between or another coordinator answers.
 */
export const PLAN_INPUTS = z.object({
  slotCount: z.int().min(0).max(1e6),
  device: z.object({ kind: z.enum(['cpu', 'gpu']), threadCount: COUNT }),
  memoryBytes: z.number().min(0),
  /** `Corrections.factors`. */
  factors: z.record(z.string(), z.number().min(0).max(1_000)),
  images: z
    .object({
      // A page token of an earlier version has no source.
      source: z.enum(['indexed', 'counted']).default('indexed'),
      imageCounts: z.object({ train: COUNT, validation: COUNT, test: COUNT }),
      classCount: COUNT,
    })
    .nullable(),
});

export type PlanInputs = z.infer<typeof PLAN_INPUTS>;

export function planInputsOf(cluster: Cluster, images: KnownImages | null): PlanInputs {
  const { slotCount, device, memoryBytes, corrections } = cluster;
  return { slotCount, device, memoryBytes, factors: corrections.factors ?? {}, images };
}

/** Returns the cluster that `planInputsOf` was given. */
export function clusterOf({ slotCount, device, memoryBytes, factors }: PlanInputs): Cluster {
  return { slotCount, device, memoryBytes, corrections: correctionsOf(factors) };
}
