import { z } from 'zod';
import { testPredictionToProto } from '../../../platform/rpc/convert/test-prediction.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { TestPrediction } from '../../../../proto/gen/graft/v1/run.ts';
import { ListTestPredictionsResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { findRun } from '../../store/runs/list-runs.ts';
import { listTestPredictions } from '../../store/runs/list-test-predictions.ts';
import { answerWith, encodeList, requireEntries } from '../lists/encode-list.ts';
import { pageToken, PATH_KEY, readPage } from '../page.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const PREDICTION_KEY = z.object({ path: PATH_KEY });

/** Returns the handler of ListTestPredictions. */
export function listTestPredictionsHandler({
  store,
  longAnswers,
}: RpcContext): Handlers<typeof SweepServiceService>['listTestPredictions'] {
  return async (request, { signal }) => {
    const runId = requireId(request.runId, 'run_id');
    const scope = `predictions/${runId}`;
    const asked = readPage(request, { scope, defaultSize: 1000, maxSize: 5000, key: PREDICTION_KEY });
    return longAnswers.run(signal, async () => {
      const page = await encodeList(longAnswers, {
        ...asked,
        fetch: (after, limit) => listTestPredictions(store, runId, after, limit),
        toProto: (item) => testPredictionToProto(runId, item),
        encoder: TestPrediction,
        field: 1,
      });
      if (page.count === 0) await findRun(store, runId);
      requireEntries(page, asked);
      return answerWith(page, ListTestPredictionsResponse, { nextPageToken: pageToken(scope, page.next) });
    });
  };
}
