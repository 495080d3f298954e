import { z } from 'zod';
import type { Handlers } from '../../platform/rpc/server.ts';
import type { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { findDataset, findDatasetOfSweep, listDatasets } from '../store/datasets/list-datasets.ts';
import { findSweep, listSweeps } from '../store/sweeps/find-sweep.ts';
import { readForecasts } from '../store/sweeps/read-forecasts.ts';
import { listTrainers } from '../store/trainers/list-trainers.ts';
import { forecastsToProto } from './convert-plan.ts';
import { datasetRecordToProto, sweepToProto, trainerToProto } from './convert-sweep.ts';
import { pageToken, readPage, TIME_KEY } from './page.ts';
import { requireId } from './require-id.ts';
import type { RpcContext } from './rpc-context.ts';

const SWEEPS = {
  scope: 'sweeps',
  defaultSize: 100,
  maxSize: 1000,
  key: z.object({ createTime: TIME_KEY, sweepId: z.string() }),
};
const DATASETS = {
  scope: 'datasets',
  defaultSize: 100,
  maxSize: 1000,
  key: z.object({ createTime: TIME_KEY, datasetId: z.string() }),
};
const TRAINERS = { scope: 'trainers', defaultSize: 100, maxSize: 1000, key: z.object({ trainerId: z.string() }) };

type Calls = Pick<
  Handlers<typeof SweepServiceService>,
  'getSweep' | 'listSweeps' | 'listTrainers' | 'listDatasets' | 'getDataset'
>;

/** Reads of sweeps, trainers and data sets. */
export function sweepCalls({ store }: RpcContext): Calls {
  return {
    getSweep: async (request) => {
      const sweep = await findSweep(store, requireId(request.sweepId, 'sweep_id'));
      return { sweep: sweepToProto(sweep), ...forecastsToProto(await readForecasts(store, sweep.sweepId)) };
    },
    listSweeps: async (request) => {
      const { limit, after } = readPage(request, SWEEPS);
      const page = await listSweeps(store, after, limit);
      return { sweeps: page.items.map(sweepToProto), nextPageToken: pageToken(SWEEPS.scope, page.next) };
    },
    listTrainers: async (request) => {
      const { limit, after } = readPage(request, TRAINERS);
      const page = await listTrainers(store, after, limit);
      return { trainers: page.items.map(trainerToProto), nextPageToken: pageToken(TRAINERS.scope, page.next) };
    },
    listDatasets: async (request) => {
      const { limit, after } = readPage(request, DATASETS);
      const page = await listDatasets(store, after, limit);
      return { datasets: page.items.map(datasetRecordToProto), nextPageToken: pageToken(DATASETS.scope, page.next) };
    },
    getDataset: async (request) => {
      const datasetId = requireId(request.datasetId, 'dataset_id');
      const { sweepId } = request;
      const dataset =
        sweepId === ''
          ? await findDataset(store, datasetId)
          : await findDatasetOfSweep(store, datasetId, requireId(sweepId, 'sweep_id'));
      return { dataset: datasetRecordToProto(dataset) };
    },
  };
}
