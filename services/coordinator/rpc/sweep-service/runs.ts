import { z } from 'zod';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { Run } from '../../../../proto/gen/graft/v1/run.ts';
import { GetRunResponse, ListRunsResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { findRun, listAttempts, listRuns } from '../../store/runs/list-runs.ts';
import { attemptToProto } from '../../../platform/rpc/convert/attempt.ts';
import { runToProto } from '../../../platform/rpc/convert/run.ts';
import { answerWith, encodeList, requireEntries } from '../lists/encode-list.ts';
import { fitAnswer } from '../lists/shorten-message.ts';
import { INDEX_KEY, pageToken, readPage } from '../page.ts';
import { requireSweep } from '../require-existing.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const RUN_KEY = z.object({ runIndex: INDEX_KEY });

/** Returns the handlers of ListRuns and GetRun. */
export function runHandlers({
  store,
  longAnswers,
}: RpcContext): Pick<Handlers<typeof SweepServiceService>, 'listRuns' | 'getRun'> {
  return {
    listRuns: async (request, { signal }) => {
      const sweepId = requireId(request.sweepId, 'sweep_id');
      const scope = `runs/${sweepId}`;
      const asked = readPage(request, { scope, defaultSize: 100, maxSize: 1000, key: RUN_KEY });
      return longAnswers.run(signal, async () => {
        const page = await encodeList(longAnswers, {
          ...asked,
          fetch: (after, limit) => listRuns(store, sweepId, after, limit),
          toProto: runToProto,
          encoder: Run,
          field: 1,
        });
        if (page.count === 0) await requireSweep(store, sweepId);
        requireEntries(page, asked);
        return answerWith(page, ListRunsResponse, { nextPageToken: pageToken(scope, page.next) });
      });
    },
    getRun: async (request) => {
      const run = await findRun(store, requireId(request.runId, 'run_id'));
      const attempts = (await listAttempts(store, run.runId)).map(attemptToProto);
      return fitAnswer({ run: runToProto(run), attempts }, GetRunResponse);
    },
  };
}
