import { taskEndFromProto } from '../../platform/rpc/convert/task-result.ts';
import { upperCaseEnum } from '../../platform/rpc/convert/enum-codec.ts';
import type { Handlers } from '../../platform/rpc/server.ts';
import { ReleaseReason as ProtoReleaseReason } from '../../../proto/gen/graft/v1/trainer_service.ts';
import type { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { completeTask } from '../store/complete/complete-task.ts';
import { releaseTask } from '../store/tasks/release-task.ts';
import type { ReleaseReason } from '../store/tasks/release-task.ts';
import { requireId } from './require-id.ts';
import type { RpcContext } from './rpc-context.ts';

const RELEASE_REASONS = upperCaseEnum<ReleaseReason, typeof ProtoReleaseReason>(ProtoReleaseReason);

/** CompleteTask and ReleaseTask: the two ways an attempt ends by its trainer. */
export function resultCalls({
  store,
}: RpcContext): Pick<Handlers<typeof TrainerServiceService>, 'completeTask' | 'releaseTask'> {
  return {
    completeTask: async (request) => {
      const taskId = requireId(request.taskId, 'task_id');
      await completeTask(store, taskId, request.leaseEpoch, taskEndFromProto(request.result));
      return {};
    },
    releaseTask: async (request) => {
      const reason = RELEASE_REASONS.fromProto(request.reason, 'reason');
      await releaseTask(store, requireId(request.taskId, 'task_id'), request.leaseEpoch, reason);
      return {};
    },
  };
}
