import { ArtifactMissingError, InvalidRequestError } from '../../../core/errors.ts';
import type { CheckpointRef } from '../../../core/task.ts';
import { ArtifactUriError } from '../../../platform/artifacts/artifact-store.ts';
import type { ArtifactStore } from '../../../platform/artifacts/artifact-store.ts';
import { requireMessage } from '../../../platform/rpc/convert/fields.ts';
import { checkpointFromProto } from '../../../platform/rpc/convert/checkpoint.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type { TrainerServiceService } from '../../../../proto/gen/graft/v1/trainer_service.ts';
import { newCheckpointId } from '../../new-id.ts';
import { registerCheckpoint } from '../../store/checkpoints/register-checkpoint.ts';
import { checkpointToProto } from '../../../platform/rpc/convert/checkpoint.ts';
import { asReport, readClaim } from './read-claim.ts';
import type { RpcContext } from '../rpc-context.ts';

/** Returns the handler of RegisterCheckpoint. */
export function registerCheckpointHandler({
  store,
  artifacts,
}: RpcContext): Handlers<typeof TrainerServiceService>['registerCheckpoint'] {
  return async (request, call) => {
    const claim = readClaim(request, call);
    const stored = await asReport(store, claim, async () => {
      const checkpoint = checkpointFromProto(requireMessage(request.checkpoint, 'checkpoint'), 'checkpoint');
      await requireFile(artifacts, checkpoint);
      return registerCheckpoint(store, claim, newCheckpointId(), checkpoint);
    });
    return { checkpoint: checkpointToProto(stored) };
  };
}

/**
 * Checks that the file exists with the reported size, so that no row promises a missing file. Readers check the digest.
 *
 * @throws ArtifactMissingError
 */
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
