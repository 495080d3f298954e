import { ArtifactMissingError } from '../../core/errors.ts';
import type { TaskError } from '../../core/task.ts';
import { OutboxClosedError, isRefusedReport } from '../lease/metric-outbox.ts';
import { classifyFailure } from '../lease/patience.ts';

/** How an attempt ends whose report the coordinator refused; null: its lease is lost, so it says nothing more. */
export function errorOfRefusal(error: unknown): TaskError | null {
  const message = error instanceof Error ? error.message : String(error);
  const plain = { message, datasetProblems: [] };
  // A report that can't be true is this trainer's fault and not the task's: another one may do better.
  if (isRefusedReport(error)) return { ...plain, errorClass: 'INFRASTRUCTURE', code: 'REPORT_REFUSED' };
  // The same attempt computed one epoch twice with different results: never right again.
  if (error instanceof OutboxClosedError) {
    return error.reason === 'METRIC_CONFLICT' ? { ...plain, errorClass: 'PERMANENT', code: 'METRIC_CONFLICT' } : null;
  }
  if (classifyFailure(error) === 'LOST') return null;
  // The file of a checkpoint was lost between its writing and this call, which is no fault of the run.
  if (error instanceof ArtifactMissingError) {
    return { ...plain, errorClass: 'INFRASTRUCTURE', code: 'CHECKPOINT_LOST' };
  }
  return { ...plain, errorClass: 'COUNTED', code: 'REPORT_REFUSED' };
}
