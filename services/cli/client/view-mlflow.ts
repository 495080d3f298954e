import { numberOf, textOrNull } from '../../platform/rpc/convert/fields.ts';
import type * as service from '../../../proto/gen/graft/v1/sweep_service.ts';
import type { MlflowDeadLetter, MlflowStatus } from './types.ts';

export function viewMlflowStatus(sent: service.GetMlflowStatusResponse): MlflowStatus {
  return {
    trackingUri: textOrNull(sent.trackingUri),
    pendingEntryCount: sent.pendingEntryCount,
    pendingSubjectCount: sent.pendingSubjectCount,
    oldestPendingTime: sent.oldestPendingTime ?? null,
    deadLetterCount: sent.deadLetterCount,
    successTime: sent.successTime ?? null,
    failureTime: sent.failureTime ?? null,
    failureCount: sent.failureCount,
    errorCode: sent.errorCode,
    errorMessage: sent.errorMessage,
    nextTryTime: sent.nextTryTime ?? null,
  };
}

export function viewMlflowDeadLetter(sent: service.MlflowDeadLetter): MlflowDeadLetter {
  return {
    entryId: numberOf(sent.entryId, 'dead_letters.entry_id'),
    sweepId: sent.sweepId,
    runId: textOrNull(sent.runId),
    kind: sent.kind,
    errorCode: sent.errorCode,
    errorMessage: sent.errorMessage,
    attemptCount: sent.attemptCount,
    deadTime: sent.deadTime ?? null,
  };
}
