import { checkpointUri, isCheckpointUri } from '../checkpoint-uri.ts';
import type { Objective } from '../objective.ts';
import type { FieldViolation } from '../sweep/sweep-spec.ts';
import type { CheckpointRef, Stage } from '../task.ts';
import { metricMistake } from './check-metrics.ts';
import { Mistakes } from './mistakes.ts';
import { sha256Mistake, shown } from './text-rules.ts';

/** The task that a checkpoint belongs to. */
export interface CheckpointFacts {
  readonly taskId: string;
  readonly stage: Stage;
  readonly leaseEpoch: number;
  /** Epochs of the stage for the checkpoint's run; null: it is no run of the task. */
  readonly epochLimit: number | null;
  readonly metric: Objective['metric'];
  /** Value that was reported for that epoch; null: none was. */
  readonly reportedValue: number | null;
}

/** Maximum size of a file: a pebibyte. */
const MAX_BYTES = 2 ** 50;
/** Tolerance between the checkpoint's value and the reported one. */
const TOLERANCE = 1e-6;

/** Returns the mistakes in a checkpoint that a trainer registers. */
export function checkCheckpoint(checkpoint: CheckpointRef, facts: CheckpointFacts): FieldViolation[] {
  const mistakes = new Mistakes();
  const { runId, stage, epoch, kind, uri, value } = checkpoint;
  if (stage !== facts.stage) {
    mistakes.add('checkpoint.stage', `must be the task's stage ${facts.stage}; received ${stage}.`);
  }
  if (facts.epochLimit === null) {
    mistakes.add('checkpoint.run_id', `${shown(runId)} is no run of task ${facts.taskId}.`);
  }
  mistakes.count('checkpoint.epoch', epoch, 0, facts.epochLimit ?? Infinity);
  mistakes.add('checkpoint.sha256', sha256Mistake(checkpoint.sha256));
  mistakes.count('checkpoint.size_bytes', checkpoint.sizeBytes, 1, MAX_BYTES);
  const file = { runId, stage, epoch, kind, leaseEpoch: facts.leaseEpoch };
  if (!isCheckpointUri(uri, file)) {
    mistakes.add('checkpoint.uri', `must be such as ${checkpointUri(file, 0)}; received ${shown(uri)}.`);
  }
  if (value !== null) mistakes.add('checkpoint.value', valueMistake(value, facts));
  return mistakes.list;
}

function valueMistake(value: number, { metric, reportedValue }: CheckpointFacts): string | null {
  const mistake = metricMistake(metric, value);
  if (mistake !== null || reportedValue === null || Object.is(value, reportedValue)) return mistake;
  if (Math.abs(value - reportedValue) <= TOLERANCE * Math.max(1, Math.abs(reportedValue))) return null;
  return `must be ${metric} of that epoch as it was reported, ${reportedValue}; received ${value}.`;
}
