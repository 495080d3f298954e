import { createHash } from 'node:crypto';
import { ArtifactDamagedError, InvalidRequestError } from '../../../core/errors.ts';
import { describeDigest, findDamage } from '../../../platform/artifacts/find-damage.ts';
import { numberOf } from '../../../platform/rpc/convert/fields.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type {
  DownloadCheckpointRequest,
  DownloadCheckpointResponse,
  SweepServiceService,
} from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { findCheckpoint } from '../../store/checkpoints/list-checkpoints.ts';
import type { CheckpointRecord } from '../../../core/records/checkpoint.ts';
import { checkpointToProto } from '../../../platform/rpc/convert/checkpoint.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const CHUNK_BYTES = 64 * 1024;

/** Returns the handler of DownloadCheckpoint. */
export function downloadCheckpointHandler(
  context: RpcContext,
): Handlers<typeof SweepServiceService>['downloadCheckpoint'] {
  return (request, { signal }) => download(context, request, signal);
}

async function* download(
  { store, artifacts }: RpcContext,
  request: DownloadCheckpointRequest,
  signal: AbortSignal,
): AsyncGenerator<DownloadCheckpointResponse> {
  const checkpoint = await findCheckpoint(store, requireId(request.checkpointId, 'checkpoint_id'));
  let offset = numberOf(request.offset, 'offset');
  if (offset < 0 || offset > checkpoint.sizeBytes) {
    const description = `must be 0 to ${checkpoint.sizeBytes}, the file's size; received ${offset}.`;
    throw new InvalidRequestError([{ field: 'offset', description }]);
  }
  const found = await artifacts.stat(checkpoint.uri);
  if (found?.sizeBytes !== checkpoint.sizeBytes) throw damaged(checkpoint, await findDamage(artifacts, checkpoint));
  // The first message describes the checkpoint, even when no byte is left to send.
  let first: DownloadCheckpointResponse['checkpoint'] = checkpointToProto(checkpoint);
  // After an offset only the client, which has the beginning, can verify the whole file.
  const hash = offset === 0 ? createHash('sha256') : null;
  for await (const part of artifacts.readFrom(checkpoint.uri, offset)) {
    hash?.update(part);
    for (let start = 0; start < part.byteLength; start += CHUNK_BYTES) {
      if (signal.aborted) return;
      const data = Buffer.from(part.buffer, part.byteOffset + start, Math.min(CHUNK_BYTES, part.byteLength - start));
      yield { checkpoint: first, offset: BigInt(offset), data };
      first = undefined;
      offset += data.length;
    }
  }
  const problem = hash === null ? null : describeDigest(hash.digest('hex'), checkpoint.sha256);
  if (offset < checkpoint.sizeBytes || problem !== null) throw damaged(checkpoint, problem);
  if (first !== undefined) yield { checkpoint: first, offset: BigInt(offset), data: Buffer.alloc(0) };
}

function damaged({ checkpointId, uri }: CheckpointRecord, problem: string | null): ArtifactDamagedError {
  return new ArtifactDamagedError(
    uri,
    `of checkpoint '${checkpointId}' ${problem ?? 'was truncated while it was read'}. Restore the file from a copy, or retrain the run`,
  );
}
