import type { EpochMetricRecord } from '../../../core/records/epoch-metric.ts';
import type { EpochMetric } from '../../../../proto/gen/graft/v1/run.ts';
import { stages } from './run.ts';

/** Converts a metric to its message. */
export function epochMetricToProto(metric: EpochMetricRecord): EpochMetric {
  return { ...metric, stage: stages.toProto(metric.stage) };
}

/** Converts a metric's message. */
export function epochMetricFromProto(message: EpochMetric): EpochMetricRecord {
  return { ...message, stage: stages.tryFromProto(message.stage) };
}
