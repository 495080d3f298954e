import { ArtifactMissingError } from '../../core/errors.ts';
import type { TaskError } from '../../core/task.ts';
import { OutboxClosedError, isRefusedReport } from '../lease/metric-outbox.ts';
import { classifyFailure } from '../lease/patience.ts';

/** Returns the error with which an attempt ends after a refused report; null if its lease is lost, so nothing may be written. */
export function errorOfRefusal(error: unknown): TaskError | null {
  const message = error instanceof Error ? error.message : String(error);
  const plain = { message, datasetProblems: [] };
  // An impossible report is this trainer's fault and not the task's: another trainer may succeed.
  if (isRefusedReport(error)) return { ...plain, errorClass: 'INFRASTRUCTURE', code: 'REPORT_REFUSED' };
  // The same attempt computed one epoch twice with different results, which no retry can fix.
  if (error instanceof OutboxClosedError) {
    return error.reason === 'METRIC_CONFLICT' ? { ...plain, errorClass: 'PERMANENT', code: 'METRIC_CONFLICT' } : null;
  }
  if (classifyFailure(error) === 'LOST') return null;
  // The file of the checkpoint was lost between its writing and this call, which is not the run's fault.
  if (error instanceof ArtifactMissingError) {
    return { ...plain, errorClass: 'INFRASTRUCTURE', code: 'CHECKPOINT_LOST' };
  }
  return { ...plain, errorClass: 'COUNTED', code: 'REPORT_REFUSED' };
}
