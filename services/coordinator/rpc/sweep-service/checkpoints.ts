import { z } from 'zod';
import { InvalidRequestError } from '../../../core/errors.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { Checkpoint } from '../../../../proto/gen/graft/v1/run.ts';
import { ListCheckpointsResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { findCollectable, markCollectable } from '../../store/checkpoints/collect-checkpoints.ts';
import { listCheckpoints, pinCheckpoint } from '../../store/checkpoints/list-checkpoints.ts';
import { checkpointToProto } from '../../../platform/rpc/convert/checkpoint.ts';
import { answerWith, encodeList } from '../lists/encode-list.ts';
import { ID_KEY, pageToken, readPage, TIME_KEY } from '../page.ts';
import { requireOwnerExists, requireSweep } from '../require-existing.ts';
import { requireId, requireOwner } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const KEY = z.object({ runId: ID_KEY, createTime: TIME_KEY, checkpointId: ID_KEY });
/** Most checkpoints that CollectCheckpoints lists. */
const MAX_COLLECTED = 1_000;

/** Returns the handlers of ListCheckpoints, PinCheckpoint and CollectCheckpoints. */
export function checkpointHandlers(
  context: RpcContext,
): Pick<Handlers<typeof SweepServiceService>, 'listCheckpoints' | 'pinCheckpoint' | 'collectCheckpoints'> {
  return {
    listCheckpoints: async (request, { signal }) => {
      const owner = requireOwner(request);
      const scope = `checkpoints/${owner.sweepId ?? ''}/${owner.runId ?? ''}`;
      const asked = readPage(request, { scope, defaultSize: 100, maxSize: 1000, key: KEY });
      return context.longAnswers.run(signal, async () => {
        const page = await encodeList(context.longAnswers, {
          ...asked,
          fetch: (after, limit) => listCheckpoints(context.store, owner, after, limit),
          toProto: checkpointToProto,
          encoder: Checkpoint,
          field: 1,
        });
        if (page.count === 0) await requireOwnerExists(context.store, owner);
        return answerWith(page, ListCheckpointsResponse, { nextPageToken: pageToken(scope, page.next) });
      });
    },
    pinCheckpoint: async ({ checkpointId, pinned }) => {
      const checkpoint = await pinCheckpoint(context.store, requireId(checkpointId, 'checkpoint_id'), pinned);
      return { checkpoint: checkpointToProto(checkpoint) };
    },
    collectCheckpoints: async ({ sweepId, keepBestCount, dryRun }) => {
      if (keepBestCount < 0) {
        const description = `must be 0 (the coordinator's setting) or above; received ${keepBestCount}.`;
        throw new InvalidRequestError([{ field: 'keep_best_count', description }]);
      }
      if (sweepId !== '') await requireSweep(context.store, sweepId);
      const keepBest = keepBestCount === 0 ? context.keepBest : keepBestCount;
      const options = { sweepId: sweepId === '' ? null : sweepId, keepBest };
      const { items, count, sizeBytes } = await findCollectable(context.store, options, MAX_COLLECTED);
      if (!dryRun) await markCollectable(context.store, options);
      return {
        checkpoints: items.map(({ checkpoint, reason }) => ({
          checkpoint: checkpointToProto(checkpoint),
          reason,
        })),
        checkpointCount: count,
        sizeBytes: BigInt(sizeBytes),
        keepBestCount: keepBest,
      };
    },
  };
}
