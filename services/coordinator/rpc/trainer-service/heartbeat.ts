import { InvalidRequestError } from '../../../core/errors.ts';
import { checkProgress } from '../../../core/reports/check-progress.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { TaskCommand as ProtoTaskCommand } from '../../../../proto/gen/graft/v1/trainer_service.ts';
import type { TrainerServiceService } from '../../../../proto/gen/graft/v1/trainer_service.ts';
import { recordHeartbeat } from '../../store/leases/heartbeat.ts';
import type { Store } from '../../store/store.ts';
import type { TaskCommand, TaskProgress } from '../../store/leases/heartbeat.ts';
import { hashOfSecret } from '../../trainer-secrets.ts';
import { requireTrainer } from '../authorisation/trainer-scope.ts';
import { asReport } from './read-claim.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const COMMANDS: Readonly<Record<TaskCommand, ProtoTaskCommand>> = {
  NONE: ProtoTaskCommand.UNSPECIFIED,
  ABANDON: ProtoTaskCommand.ABANDON,
  PAUSE: ProtoTaskCommand.PAUSE,
  STOP: ProtoTaskCommand.STOP,
  KILL: ProtoTaskCommand.KILL,
  CHECKPOINT_NOW: ProtoTaskCommand.CHECKPOINT_NOW,
};

/** Returns the handler of Heartbeat: it renews the leases and answers with directives. */
export function heartbeatHandler({ store }: RpcContext): Handlers<typeof TrainerServiceService>['heartbeat'] {
  return async (request, call) => {
    const trainerId = requireId(request.trainerId, 'trainer_id');
    requireTrainer(call, trainerId);
    const tasks = request.tasks.map(({ leaseSecret, ...task }) => ({
      ...task,
      secretHash: hashOfSecret(leaseSecret),
    }));
    await refuseProgress(store, trainerId, tasks);
    const { draining } = request;
    const beat = { trainerId, trainerSecretHash: hashOfSecret(request.trainerSecret), draining, tasks };
    const { directives, drainReason } = await recordHeartbeat(store, beat);
    return {
      drainReason: drainReason ?? '',
      directives: directives.map(({ taskId, leaseEpoch, command, stoppedRunIds }) => ({
        taskId,
        leaseEpoch,
        command: COMMANDS[command],
        stoppedRunIds: [...stoppedRunIds],
      })),
    };
  };
}

/** Checks the progress of all tasks. @throws ReportRefusedError, counted against the first task with a mistake. */
async function refuseProgress(store: Store, trainerId: string, tasks: readonly TaskProgress[]): Promise<void> {
  const violations = checkProgress(tasks);
  if (violations.length === 0) return;
  const index = Number(/^tasks\[(\d+)\]/.exec(violations[0]?.field ?? '')?.[1] ?? 0);
  const { taskId = '', leaseEpoch = 0, secretHash = '' } = tasks[index] ?? {};
  const claim = { taskId, leaseEpoch, trainerId, secretHash };
  await asReport(store, claim, () => Promise.reject(new InvalidRequestError(violations)));
}
