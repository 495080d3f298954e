import type { EpochMetricRecord } from '../../core/records/epoch-metric.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { Stage } from '../../core/task.ts';

/** One point of a learning curve; fine-tuning epochs are numbered after the last epoch of the head. */
export interface CurvePoint {
  readonly runIndex: number;
  readonly epoch: number;
  readonly stage: Stage | null;
  readonly value: number;
}

const STAGE_ORDER: readonly (Stage | null)[] = ['HEAD', 'FINE_TUNE'];

/** Returns the points of one metric for all runs, by run and epoch. Omits NaN and infinities. */
export function curvePoints(
  metrics: readonly EpochMetricRecord[],
  runs: readonly RunRecord[],
  name: string,
): readonly CurvePoint[] {
  const indexes = new Map(runs.map((run) => [run.runId, run.runIndex]));
  const headEpochs = new Map<string, number>();
  for (const { runId, stage, epoch } of metrics) {
    if (stage === 'HEAD') headEpochs.set(runId, Math.max(headEpochs.get(runId) ?? 0, epoch));
  }
  return metrics
    .filter((metric) => metric.name === name && STAGE_ORDER.includes(metric.stage) && Number.isFinite(metric.value))
    .map(({ runId, stage, epoch, value }) => ({
      runIndex: indexes.get(runId) ?? -1,
      epoch: stage === 'FINE_TUNE' ? (headEpochs.get(runId) ?? 0) + epoch : epoch,
      stage,
      value,
    }))
    .sort((a, b) => a.runIndex - b.runIndex || a.epoch - b.epoch);
}
