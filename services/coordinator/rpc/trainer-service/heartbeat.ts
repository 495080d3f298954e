import { ArtifactMissingError, InvalidRequestError } from '../../../core/errors.ts';
import { checkProgress } from '../../../core/reports/check-progress.ts';
import type { CheckpointRef } from '../../../core/task.ts';
import { ArtifactUriError } from '../../../platform/artifacts/artifact-store.ts';
import type { ArtifactStore } from '../../../platform/artifacts/artifact-store.ts';
import { requireMessage } from '../../../platform/rpc/convert/fields.ts';
import { checkpointFromProto } from '../../../platform/rpc/convert/run.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { TaskCommand as ProtoTaskCommand } from '../../../../proto/gen/graft/v1/trainer_service.ts';
import type { TrainerServiceService } from '../../../../proto/gen/graft/v1/trainer_service.ts';
import { newCheckpointId } from '../../new-id.ts';
import { registerCheckpoint } from '../../store/checkpoints/register-checkpoint.ts';
import { recordHeartbeat } from '../../store/tasks/heartbeat.ts';
import type { Store } from '../../store/store.ts';
import type { TaskCommand, TaskProgress } from '../../store/tasks/heartbeat.ts';
import { checkpointRecordToProto } from '../convert-run.ts';
import { hashOfSecret } from '../../trainer-secrets.ts';
import { requireTrainer } from '../authorisation/trainer-scope.ts';
import { asReport, readClaim } from './read-claim.ts';
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

/** Heartbeat and RegisterCheckpoint. */
export function workCalls({
  store,
  artifacts,
}: RpcContext): Pick<Handlers<typeof TrainerServiceService>, 'heartbeat' | 'registerCheckpoint'> {
  return {
    heartbeat: async (request, call) => {
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
    },
    registerCheckpoint: async (request, call) => {
      const claim = readClaim(request, call);
      const stored = await asReport(store, claim, async () => {
        const checkpoint = checkpointFromProto(requireMessage(request.checkpoint, 'checkpoint'), 'checkpoint');
        await requireFile(artifacts, checkpoint);
        return registerCheckpoint(store, claim, newCheckpointId(), checkpoint);
      });
      return { checkpoint: checkpointRecordToProto(stored) };
    },
  };
}

/** @throws ReportRefusedError */
async function refuseProgress(store: Store, trainerId: string, tasks: readonly TaskProgress[]): Promise<void> {
  const violations = checkProgress(tasks);
  if (violations.length === 0) return;
  const index = Number(/^tasks\[(\d+)\]/.exec(violations[0]?.field ?? '')?.[1] ?? 0);
  const { taskId = '', leaseEpoch = 0, secretHash = '' } = tasks[index] ?? {};
  const claim = { taskId, leaseEpoch, trainerId, secretHash };
  await asReport(store, claim, () => Promise.reject(new InvalidRequestError(violations)));
}

/** A row must not promise a file that is not there; the digest is checked by whoever reads it. */
async function requireFile(artifacts: ArtifactStore, checkpoint: CheckpointRef): Promise<void> {
  const { uri, sizeBytes } = checkpoint;
  const found = await statFile(artifacts, uri);
  if (found === null) throw new ArtifactMissingError(uri);
  if (found.sizeBytes !== sizeBytes) {
    throw new ArtifactMissingError(uri, `has ${found.sizeBytes} bytes instead of ${sizeBytes}`);
  }
}

async function statFile(artifacts: ArtifactStore, uri: string): Promise<{ readonly sizeBytes: number } | null> {
  try {
    return await artifacts.stat(uri);
  } catch (error) {
    if (!(error instanceof ArtifactUriError)) throw error;
    throw new InvalidRequestError([{ field: 'checkpoint.uri', description: error.message }]);
  }
}
