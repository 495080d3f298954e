import { ArtifactMissingError, InvalidRequestError } from '../../core/errors.ts';
import type { CheckpointRef } from '../../core/task.ts';
import { ArtifactUriError } from '../../platform/artifacts/artifact-store.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { requireMessage } from '../../platform/rpc/convert/fields.ts';
import { checkpointFromProto } from '../../platform/rpc/convert/run.ts';
import type { Handlers } from '../../platform/rpc/server.ts';
import { TaskCommand as ProtoTaskCommand } from '../../../proto/gen/graft/v1/trainer_service.ts';
import type { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { newCheckpointId } from '../new-id.ts';
import { registerCheckpoint } from '../store/checkpoints/register-checkpoint.ts';
import { recordHeartbeat } from '../store/tasks/heartbeat.ts';
import type { TaskCommand } from '../store/tasks/heartbeat.ts';
import { checkpointRecordToProto } from './convert-run.ts';
import { requireId } from './require-id.ts';
import type { RpcContext } from './rpc-context.ts';

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
    heartbeat: async (request) => {
      const directives = await recordHeartbeat(store, {
        trainerId: requireId(request.trainerId, 'trainer_id'),
        draining: request.draining,
        tasks: request.tasks,
      });
      return {
        directives: directives.map(({ taskId, leaseEpoch, command, stoppedRunIds }) => ({
          taskId,
          leaseEpoch,
          command: COMMANDS[command],
          stoppedRunIds: [...stoppedRunIds],
        })),
      };
    },
    registerCheckpoint: async (request) => {
      const checkpoint = checkpointFromProto(requireMessage(request.checkpoint, 'checkpoint'), 'checkpoint');
      await requireFile(artifacts, checkpoint);
      const taskId = requireId(request.taskId, 'task_id');
      const stored = await registerCheckpoint(store, taskId, request.leaseEpoch, newCheckpointId(), checkpoint);
      return { checkpoint: checkpointRecordToProto(stored) };
    },
  };
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
