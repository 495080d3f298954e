import { open } from 'node:fs/promises';
import { z } from 'zod';
import { ArtifactMissingError, InvalidRequestError } from '../../core/errors.ts';
import { numberOf } from '../../platform/rpc/convert/fields.ts';
import type { Handlers } from '../../platform/rpc/server.ts';
import type {
  DownloadCheckpointRequest,
  DownloadCheckpointResponse,
  SweepServiceService,
} from '../../../proto/gen/graft/v1/sweep_service.ts';
import { findCheckpoint, listCheckpoints } from '../store/checkpoints/list-checkpoints.ts';
import { checkpointRecordToProto } from './convert-run.ts';
import { pageToken, readPage, TIME_KEY } from './page.ts';
import { requireOwnerExists } from './require-existing.ts';
import { requireId, requireOwner } from './require-id.ts';
import type { RpcContext } from './rpc-context.ts';

const KEY = z.object({ runId: z.string(), createTime: TIME_KEY, checkpointId: z.string() });
const CHUNK_BYTES = 64 * 1024;

/** ListCheckpoints and DownloadCheckpoint. */
export function checkpointCalls(
  context: RpcContext,
): Pick<Handlers<typeof SweepServiceService>, 'listCheckpoints' | 'downloadCheckpoint'> {
  return {
    listCheckpoints: async (request) => {
      const owner = requireOwner(request);
      const scope = `checkpoints/${owner.sweepId ?? ''}/${owner.runId ?? ''}`;
      const { limit, after } = readPage(request, { scope, defaultSize: 100, maxSize: 1000, key: KEY });
      const page = await listCheckpoints(context.store, owner, after, limit);
      if (page.items.length === 0) await requireOwnerExists(context.store, owner);
      return { checkpoints: page.items.map(checkpointRecordToProto), nextPageToken: pageToken(scope, page.next) };
    },
    downloadCheckpoint: (request, { signal }) => download(context, request, signal),
  };
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
  await using file = await openOrThrow(artifacts.localPath(checkpoint.uri), checkpoint.uri);
  // The first chunk tells what is coming, also where no byte is left to send.
  let first: DownloadCheckpointResponse['checkpoint'] = checkpointRecordToProto(checkpoint);
  while (!signal.aborted) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, checkpoint.sizeBytes - offset));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    if (bytesRead === 0 && offset < checkpoint.sizeBytes) {
      throw new ArtifactMissingError(checkpoint.uri, `is shorter than its row says (${checkpoint.sizeBytes} bytes)`);
    }
    if (bytesRead === 0 && first === undefined) return;
    yield { checkpoint: first, offset: BigInt(offset), data: buffer.subarray(0, bytesRead) };
    first = undefined;
    offset += bytesRead;
    if (offset >= checkpoint.sizeBytes) return;
  }
}

async function openOrThrow(path: string, uri: string): ReturnType<typeof open> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw new ArtifactMissingError(uri);
    throw error;
  }
}
