import type { EpochReport } from '../../../core/reports/check-metrics.ts';
import type { LeaseClaim } from '../tasks/fence.ts';

export type { EpochReport } from '../../../core/reports/check-metrics.ts';

export interface MetricBatch extends LeaseClaim {
  /** From 1, without gaps, per attempt. */
  readonly sequence: number;
  readonly epochs: readonly EpochReport[];
}

/** Rows that the batch would make. */
export function countPoints(batch: MetricBatch): number {
  return batch.epochs.reduce((sum, { names }) => sum + names.length, 0);
}
