import type { FieldViolation } from '../../../core/sweep/sweep-spec.ts';
import type { Stage } from '../../../core/task.ts';

export interface EpochReport {
  readonly runId: string;
  readonly stage: Stage;
  /** From 1. */
  readonly epoch: number;
  readonly names: readonly string[];
  /** In the order of the names; NaN and infinities are kept. */
  readonly values: readonly number[];
}

export interface MetricBatch {
  readonly taskId: string;
  readonly leaseEpoch: number;
  /** From 1, without gaps, per attempt. */
  readonly sequence: number;
  readonly epochs: readonly EpochReport[];
}

/** Rows that the batch would make. */
export function countPoints(batch: MetricBatch): number {
  return batch.epochs.reduce((sum, { names }) => sum + names.length, 0);
}

/** Largest value of `integer`, the type of the column. */
const MAX_EPOCH = 2 ** 31 - 1;

/** What is wrong with a batch that can be told without a look at stored metrics. */
export function checkBatch(batch: MetricBatch, stage: Stage, runIds: ReadonlySet<string>): FieldViolation[] {
  const violations: FieldViolation[] = [];
  for (const [index, report] of batch.epochs.entries()) {
    const field = `epochs[${index}]`;
    if (!runIds.has(report.runId)) {
      violations.push({
        field: `${field}.run_id`,
        description: `'${report.runId}' is no run of task ${batch.taskId}.`,
      });
    }
    if (report.stage !== stage) {
      violations.push({ field: `${field}.stage`, description: `must be ${stage}; received ${report.stage}.` });
    }
    if (report.epoch < 1 || report.epoch > MAX_EPOCH) {
      violations.push({ field: `${field}.epoch`, description: `counts from 1; received ${report.epoch}.` });
    }
    if (report.names.some((name) => name === '' || name.includes('\0'))) {
      violations.push({ field: `${field}.names`, description: 'must be words; received an empty one or a zero byte.' });
    }
    if (report.names.length !== report.values.length) {
      const description = `must be as many as names (${report.names.length}); received ${report.values.length}.`;
      violations.push({ field: `${field}.values`, description });
    }
  }
  return violations;
}
