import type { Stage } from '../task.ts';

/** One metric of one epoch of a run. */
export interface EpochMetricRecord {
  readonly runId: string;
  readonly stage: Stage | null;
  readonly epoch: number;
  readonly name: string;
  /** NaN and infinities are kept. */
  readonly value: number;
}
