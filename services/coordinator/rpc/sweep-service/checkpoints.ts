import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ArtifactDamagedError, InvalidRequestError } from '../../../core/errors.ts';
import { describeDigest, findDamage } from '../../../platform/artifacts/find-damage.ts';
import { numberOf } from '../../../platform/rpc/convert/fields.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { Checkpoint } from '../../../../proto/gen/graft/v1/run.ts';
import { ListCheckpointsResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type {
  DownloadCheckpointRequest,
  DownloadCheckpointResponse,
  SweepServiceService,
} from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { findCollectable, markCollectable } from '../../store/checkpoints/collect-checkpoints.ts';
import { findCheckpoint, listCheckpoints, pinCheckpoint } from '../../store/checkpoints/list-checkpoints.ts';
import type { CheckpointRecord } from '../../../core/records/checkpoint.ts';
import { checkpointRecordToProto } from '../convert-run.ts';
import { answerWith, encodeList } from '../lists/encode-list.ts';
import { ID_KEY, pageToken, readPage, TIME_KEY } from '../page.ts';
import { requireOwnerExists, requireSweep } from '../require-existing.ts';
import { requireId, requireOwner } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const KEY = z.object({ runId: ID_KEY, createTime: TIME_KEY, checkpointId: ID_KEY });
const CHUNK_BYTES = 64 * 1024;
/** Checkpoints that CollectCheckpoints lists. */
const MAX_COLLECTED = 1_000;

/** ListCheckpoints, DownloadCheckpoint, PinCheckpoint and CollectCheckpoints. */
export function checkpointCalls(
  context: RpcContext,
): Pick<
  Handlers<typeof SweepServiceService>,
  'listCheckpoints' | 'downloadCheckpoint' | 'pinCheckpoint' | 'collectCheckpoints'
> {
  return {
    listCheckpoints: async (request, { signal }) => {
      const owner = requireOwner(request);
      const scope = `checkpoints/${owner.sweepId ?? ''}/${owner.runId ?? ''}`;
      const asked = readPage(request, { scope, defaultSize: 100, maxSize: 1000, key: KEY });
      return context.longAnswers.run(signal, async () => {
        const page = await encodeList(context.longAnswers, {
          ...asked,
          fetch: (after, limit) => listCheckpoints(context.store, owner, after, limit),
          toProto: checkpointRecordToProto,
          encoder: Checkpoint,
          field: 1,
        });
        if (page.count === 0) await requireOwnerExists(context.store, owner);
        return answerWith(page, ListCheckpointsResponse, { nextPageToken: pageToken(scope, page.next) });
      });
    },
    pinCheckpoint: async ({ checkpointId, pinned }) => {
      const checkpoint = await pinCheckpoint(context.store, requireId(checkpointId, 'checkpoint_id'), pinned);
      return { checkpoint: checkpointRecordToProto(checkpoint) };
    },
    downloadCheckpoint: (request, { signal }) => download(context, request, signal),
    collectCheckpoints: async ({ sweepId, keepBestCount, dryRun }) => {
      if (keepBestCount < 0) {
        const description = `must be 0 (as the coordinator is set) or above; received ${keepBestCount}.`;
        throw new InvalidRequestError([{ field: 'keep_best_count', description }]);
      }
      if (sweepId !== '') await requireSweep(context.store, sweepId);
      const keepBest = keepBestCount === 0 ? context.keepBest : keepBestCount;
      const options = { sweepId: sweepId === '' ? null : sweepId, keepBest };
      const { items, count, sizeBytes } = await findCollectable(context.store, options, MAX_COLLECTED);
      if (!dryRun) await markCollectable(context.store, options);
      return {
        checkpoints: items.map(({ checkpoint, reason }) => ({
          checkpoint: checkpointRecordToProto(checkpoint),
          reason,
        })),
        checkpointCount: count,
        sizeBytes: BigInt(sizeBytes),
        keepBestCount: keepBest,
      };
    },
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
  const found = await artifacts.stat(checkpoint.uri);
  if (found?.sizeBytes !== checkpoint.sizeBytes) throw damaged(checkpoint, await findDamage(artifacts, checkpoint));
  // The first message tells what is coming, also where no byte is left to send.
  let first: DownloadCheckpointResponse['checkpoint'] = checkpointRecordToProto(checkpoint);
  // From an offset on, who has the beginning compares the whole.
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
    `of checkpoint '${checkpointId}' ${problem ?? 'was cut off while it was read'}. Restore the file from a copy, or train the run again`,
  );
}
