import type { EpochReport } from '../../../core/reports/check-metrics.ts';
import type { RungReport } from '../../../core/task.ts';
import type { LeaseClaim } from '../tasks/fence.ts';

export type { EpochReport } from '../../../core/reports/check-metrics.ts';

export interface MetricBatch extends LeaseClaim {
  /** Number of the batch within its attempt: from 1, without gaps. */
  readonly sequence: number;
  readonly epochs: readonly EpochReport[];
  /** Results by image, of epochs of this batch or an earlier one. */
  readonly rungs: readonly RungReport[];
}

/** Memory of a metric row of a batch that waits, which results by image are converted to. */
const POINT_BYTES = 80;

/** Counts the metric rows of a batch. Results by image count by their size. */
export function countPoints({ epochs, rungs }: MetricBatch): number {
  const points = epochs.reduce((sum, { names }) => sum + names.length, 0);
  return rungs.reduce(
    (sum, { correct, losses }) => sum + Math.ceil((correct.byteLength + (losses?.byteLength ?? 0)) / POINT_BYTES),
    points,
  );
}
