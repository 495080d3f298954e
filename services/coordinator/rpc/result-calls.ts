import { InvalidRequestError } from '../../core/errors.ts';
import { JoinedResult } from '../../platform/rpc/convert/result-parts.ts';
import { taskEndFromProto } from '../../platform/rpc/convert/task-result.ts';
import { upperCaseEnum } from '../../platform/rpc/convert/enum-codec.ts';
import type { Handlers } from '../../platform/rpc/server.ts';
import { ReleaseReason as ProtoReleaseReason } from '../../../proto/gen/graft/v1/trainer_service.ts';
import type {
  CompleteTaskInPartsRequest,
  CompleteTaskRequest,
  TrainerServiceService,
} from '../../../proto/gen/graft/v1/trainer_service.ts';
import { completeTask } from '../store/complete/complete-task.ts';
import { releaseTask } from '../store/tasks/release-task.ts';
import type { ReleaseReason } from '../store/tasks/release-task.ts';
import { confirmDamage } from './confirm-damage.ts';
import { requireId } from './require-id.ts';
import type { RpcContext } from './rpc-context.ts';

const RELEASE_REASONS = upperCaseEnum<ReleaseReason, typeof ProtoReleaseReason>(ProtoReleaseReason);

/** Of all parts of a result together: a million predictions of two classes are some 80 MB. */
const MAX_RESULT_BYTES = 256 * 1024 * 1024;

/** CompleteTask (whole or in parts) and ReleaseTask: the ways an attempt ends by its trainer. */
export function resultCalls(
  context: RpcContext,
): Pick<Handlers<typeof TrainerServiceService>, 'completeTask' | 'completeTaskInParts' | 'releaseTask'> {
  const { store } = context;
  return {
    completeTask: async (request) => {
      const taskId = requireId(request.taskId, 'task_id');
      await completeTask(
        store,
        taskId,
        request.leaseEpoch,
        await confirmDamage(context, taskEndFromProto(request.result)),
      );
      return {};
    },
    completeTaskInParts: async (requests) => {
      const request = await joinParts(requests);
      const taskId = requireId(request.taskId, 'part.task_id');
      await completeTask(
        store,
        taskId,
        request.leaseEpoch,
        await confirmDamage(context, taskEndFromProto(request.result)),
      );
      return {};
    },
    releaseTask: async (request) => {
      const reason = RELEASE_REASONS.fromProto(request.reason, 'reason');
      await releaseTask(store, requireId(request.taskId, 'task_id'), request.leaseEpoch, reason);
      return {};
    },
  };
}

async function joinParts(requests: AsyncIterable<CompleteTaskInPartsRequest>): Promise<CompleteTaskRequest> {
  const joined = new JoinedResult();
  let first: CompleteTaskRequest | null = null;
  for await (const { part } of requests) {
    if (part?.result === undefined) throw invalidPart('needs a result; received none.');
    first ??= part;
    const isSame = part.taskId === first.taskId && part.leaseEpoch === first.leaseEpoch && joined.add(part.result);
    if (!isSame) {
      throw invalidPart(
        `must go on with the result of task '${first.taskId}', lease ${first.leaseEpoch}; ` +
          `received ${part.result.$case} of task '${part.taskId}', lease ${part.leaseEpoch}.`,
      );
    }
    if (joined.bytes > MAX_RESULT_BYTES) {
      throw invalidPart(
        `can't be taken: the result has more than ${MAX_RESULT_BYTES / 2 ** 20} MiB. Set the test policy to 'winner', ` +
          'or use a smaller test split.',
      );
    }
  }
  if (first === null) throw invalidPart('is missing: nothing was sent.');
  return { ...first, result: joined.result };
}

function invalidPart(description: string): InvalidRequestError {
  return new InvalidRequestError([{ field: 'part', description }]);
}
