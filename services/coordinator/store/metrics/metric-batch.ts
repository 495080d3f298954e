import type { EpochReport } from '../../../core/reports/check-metrics.ts';
import type { LeaseClaim } from '../tasks/fence.ts';

export type { EpochReport } from '../../../core/reports/check-metrics.ts';

export interface MetricBatch extends LeaseClaim {
  /** Number of the batch within its attempt: from 1, without gaps. */
  readonly sequence: number;
  readonly epochs: readonly EpochReport[];
}

/** Counts the metric rows of a batch. */
export function countPoints(batch: MetricBatch): number {
  return batch.epochs.reduce((sum, { names }) => sum + names.length, 0);
}
