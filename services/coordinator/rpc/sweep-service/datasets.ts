import { z } from 'zod';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { Dataset } from '../../../../proto/gen/graft/v1/dataset.ts';
import { GetDatasetResponse, ListDatasetsResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { findDataset, findDatasetOfSweep, listDatasets } from '../../store/datasets/read-datasets.ts';
import { datasetToProto } from '../../../platform/rpc/convert/dataset.ts';
import { answerWith, encodeList } from '../lists/encode-list.ts';
import { fitAnswer } from '../lists/shorten-message.ts';
import { ID_KEY, pageToken, readPage, TIME_KEY } from '../page.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const DATASETS = {
  scope: 'datasets',
  defaultSize: 100,
  maxSize: 1000,
  key: z.object({ createTime: TIME_KEY, datasetId: ID_KEY }),
};

/** Returns the handlers of ListDatasets and GetDataset. */
export function datasetHandlers({
  store,
  longAnswers,
}: RpcContext): Pick<Handlers<typeof SweepServiceService>, 'listDatasets' | 'getDataset'> {
  return {
    listDatasets: (request, { signal }) =>
      longAnswers.run(signal, async () => {
        const page = await encodeList(longAnswers, {
          ...readPage(request, DATASETS),
          fetch: (after, limit) => listDatasets(store, after, limit),
          toProto: datasetToProto,
          encoder: Dataset,
          field: 1,
        });
        return answerWith(page, ListDatasetsResponse, { nextPageToken: pageToken(DATASETS.scope, page.next) });
      }),
    getDataset: async (request) => {
      const datasetId = requireId(request.datasetId, 'dataset_id');
      const { sweepId } = request;
      const dataset =
        sweepId === ''
          ? await findDataset(store, datasetId)
          : await findDatasetOfSweep(store, datasetId, requireId(sweepId, 'sweep_id'));
      return fitAnswer({ dataset: datasetToProto(dataset) }, GetDatasetResponse);
    },
  };
}
