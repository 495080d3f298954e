import type { DeadLetterRecord, MlflowStatusRecord } from '../../../core/records/mlflow.ts';
import type { GetMlflowStatusResponse, MlflowDeadLetter } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { absentNulls, nullAbsent, requireMessage, textOrNull } from './fields.ts';

/** Converts the mirror's state to its message. */
export function mlflowStatusToProto(status: MlflowStatusRecord): GetMlflowStatusResponse {
  return { ...absentNulls(status), trackingUri: status.trackingUri ?? '' };
}

/** Converts the message of the mirror's state. */
export function mlflowStatusFromProto(message: GetMlflowStatusResponse): MlflowStatusRecord {
  return { ...nullAbsent(message), trackingUri: textOrNull(message.trackingUri) };
}

/** Converts a dead letter to its message. */
export function deadLetterToProto(letter: DeadLetterRecord): MlflowDeadLetter {
  return { ...letter, runId: letter.runId ?? '' };
}

/**
 * Converts a dead letter's message. A kind of a newer coordinator is kept as it was sent.
 *
 * @throws InvalidRequestError naming the field that is absent.
 */
export function deadLetterFromProto(message: MlflowDeadLetter): DeadLetterRecord {
  return {
    ...message,
    runId: textOrNull(message.runId),
    kind: message.kind as DeadLetterRecord['kind'],
    deadTime: requireMessage(message.deadTime, 'dead_letters.dead_time'),
  };
}
