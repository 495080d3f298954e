import type { AttemptRecord } from '../../../core/records/attempt.ts';
import type { RunAttempt } from '../../../../proto/gen/graft/v1/run.ts';
import { nullAbsent, absentNulls, requireMessage } from './fields.ts';
import { stages } from './run.ts';

/** Converts an attempt to its message. */
export function attemptToProto(attempt: AttemptRecord): RunAttempt {
  return { ...absentNulls(attempt), stage: stages.toProto(attempt.stage) };
}

/**
 * Converts an attempt's message. States and error classes of a newer coordinator are kept as they were sent.
 *
 * @throws InvalidRequestError naming the field that is absent.
 */
export function attemptFromProto(message: RunAttempt): AttemptRecord {
  const { message: text, startTime, endTime, errorCode, microBatchDivisor, ...rest } = nullAbsent(message);
  return {
    ...rest,
    stage: stages.tryFromProto(message.stage),
    state: message.state as AttemptRecord['state'],
    errorClass: message.errorClass as AttemptRecord['errorClass'],
    errorCode,
    message: text,
    // Coordinators from before micro-batches send 0.
    microBatchDivisor: Math.max(1, microBatchDivisor),
    startTime: requireMessage(startTime, 'attempts.start_time'),
    endTime,
  };
}
