import type { HandleKind, HandleOutcome } from '../../../core/handle.ts';
import type { ResolvedHandle } from '../../../core/records/handle.ts';
import {
  HandleKind as ProtoHandleKind,
  HandleOutcome as ProtoHandleOutcome,
} from '../../../../proto/gen/graft/v1/handle.ts';
import type { ResolveHandleResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { upperCaseEnum } from './enum-codec.ts';
import { requireMessage } from './fields.ts';

export const handleKinds = upperCaseEnum<HandleKind, typeof ProtoHandleKind>(ProtoHandleKind);
const outcomes = upperCaseEnum<HandleOutcome, typeof ProtoHandleOutcome>(ProtoHandleOutcome);

/** Converts a resolved handle to its message. */
export function resolvedHandleToProto({ outcome, id, problem, candidates }: ResolvedHandle): ResolveHandleResponse {
  return {
    outcome: outcomes.toProto(outcome),
    id,
    problem,
    candidates: [...candidates],
  };
}

/** @throws InvalidRequestError naming the field that is absent or unknown. */
export function resolvedHandleFromProto({ outcome, ...sent }: ResolveHandleResponse): ResolvedHandle {
  return {
    ...sent,
    outcome: outcomes.fromProto(outcome, 'outcome'),
    candidates: sent.candidates.map((candidate, index) => ({
      ...candidate,
      createTime: requireMessage(candidate.createTime, `candidates[${index}].create_time`),
    })),
  };
}
