import { z } from 'zod';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { Dataset } from '../../../../proto/gen/graft/v1/dataset.ts';
import { Sweep } from '../../../../proto/gen/graft/v1/sweep.ts';
import {
  GetDatasetResponse,
  GetSweepResponse,
  ListDatasetsResponse,
  ListSweepsResponse,
  ListTrainersResponse,
} from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { Trainer } from '../../../../proto/gen/graft/v1/trainer.ts';
import { findDataset, findDatasetOfSweep, listDatasets } from '../../store/datasets/list-datasets.ts';
import { findSweep, listSweeps } from '../../store/sweeps/find-sweep.ts';
import { readForecasts } from '../../store/sweeps/read-forecasts.ts';
import { forgetTrainer } from '../../store/trainers/forget-trainer.ts';
import { listTrainers } from '../../store/trainers/list-trainers.ts';
import { forecastsToProto } from '../convert-plan.ts';
import { datasetRecordToProto, sweepToProto, trainerToProto } from '../convert-sweep.ts';
import { answerWith, encodeList } from '../lists/encode-list.ts';
import { fitAnswer } from '../lists/shorten-message.ts';
import { ID_KEY, pageToken, readPage, TIME_KEY } from '../page.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const SWEEPS = {
  scope: 'sweeps',
  defaultSize: 100,
  maxSize: 1000,
  key: z.object({ createTime: TIME_KEY, sweepId: ID_KEY }),
};
const DATASETS = {
  scope: 'datasets',
  defaultSize: 100,
  maxSize: 1000,
  key: z.object({ createTime: TIME_KEY, datasetId: ID_KEY }),
};
const TRAINERS = { scope: 'trainers', defaultSize: 100, maxSize: 1000, key: z.object({ trainerId: ID_KEY }) };

type Calls = Pick<
  Handlers<typeof SweepServiceService>,
  'getSweep' | 'listSweeps' | 'listTrainers' | 'forgetTrainer' | 'listDatasets' | 'getDataset'
>;

/** Reads of sweeps, trainers and data sets, and ForgetTrainer. */
export function sweepCalls({ store, longAnswers }: RpcContext): Calls {
  return {
    forgetTrainer: async (request) => {
      await forgetTrainer(store, requireId(request.trainerId, 'trainer_id'));
      return {};
    },
    getSweep: async (request) => {
      const sweep = await findSweep(store, requireId(request.sweepId, 'sweep_id'));
      const answer = { sweep: sweepToProto(sweep), ...forecastsToProto(await readForecasts(store, sweep.sweepId)) };
      return fitAnswer(answer, GetSweepResponse);
    },
    listSweeps: (request, { signal }) =>
      longAnswers.run(signal, async () => {
        const page = await encodeList(longAnswers, {
          ...readPage(request, SWEEPS),
          fetch: (after, limit) => listSweeps(store, after, limit),
          toProto: sweepToProto,
          encoder: Sweep,
          field: 1,
        });
        return answerWith(page, ListSweepsResponse, { nextPageToken: pageToken(SWEEPS.scope, page.next) });
      }),
    listTrainers: (request, { signal }) =>
      longAnswers.run(signal, async () => {
        const page = await encodeList(longAnswers, {
          ...readPage(request, TRAINERS),
          fetch: (after, limit) => listTrainers(store, after, limit),
          toProto: trainerToProto,
          encoder: Trainer,
          field: 1,
        });
        return answerWith(page, ListTrainersResponse, { nextPageToken: pageToken(TRAINERS.scope, page.next) });
      }),
    listDatasets: (request, { signal }) =>
      longAnswers.run(signal, async () => {
        const page = await encodeList(longAnswers, {
          ...readPage(request, DATASETS),
          fetch: (after, limit) => listDatasets(store, after, limit),
          toProto: datasetRecordToProto,
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
      return fitAnswer({ dataset: datasetRecordToProto(dataset) }, GetDatasetResponse);
    },
  };
}
