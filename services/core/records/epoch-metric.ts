import type { Stage } from '../task.ts';

export interface EpochMetricRecord {
  readonly runId: string;
  readonly stage: Stage;
  readonly epoch: number;
  readonly name: string;
  /** NaN and infinities are kept. */
  readonly value: number;
}
