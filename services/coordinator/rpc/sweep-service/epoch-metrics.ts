import { z } from 'zod';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { EpochMetric } from '../../../../proto/gen/graft/v1/run.ts';
import { ListEpochMetricsResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { listEpochMetrics } from '../../store/metrics/list-epoch-metrics.ts';
import { epochMetricToProto } from '../../../platform/rpc/convert/epoch-metric.ts';
import { answerWith, encodeList } from '../lists/encode-list.ts';
import { ID_KEY, INDEX_KEY, pageToken, readPage } from '../page.ts';
import { requireOwnerExists } from '../require-existing.ts';
import { requireOwner } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const METRIC_KEY = z.object({ runId: ID_KEY, stageOrder: INDEX_KEY, epoch: INDEX_KEY, name: ID_KEY });

/** Returns the handler of ListEpochMetrics. */
export function listEpochMetricsHandler({
  store,
  longAnswers,
}: RpcContext): Handlers<typeof SweepServiceService>['listEpochMetrics'] {
  return async (request, { signal }) => {
    const owner = requireOwner(request);
    const scope = `metrics/${owner.sweepId ?? ''}/${owner.runId ?? ''}`;
    const asked = readPage(request, { scope, defaultSize: 1000, maxSize: 5000, key: METRIC_KEY });
    return longAnswers.run(signal, async () => {
      const page = await encodeList(longAnswers, {
        ...asked,
        fetch: (after, limit) => listEpochMetrics(store, owner, after, limit),
        toProto: epochMetricToProto,
        encoder: EpochMetric,
        field: 1,
      });
      if (page.count === 0) await requireOwnerExists(store, owner);
      return answerWith(page, ListEpochMetricsResponse, { nextPageToken: pageToken(scope, page.next) });
    });
  };
}
