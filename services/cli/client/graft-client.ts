import type { ConnectionConfig } from '../../platform/config/connection-settings.ts';
import { createClient, parseAddresses } from '../../platform/rpc/client.ts';
import type { RpcClient } from '../../platform/rpc/client.ts';
import { numberOf, requireMessage } from '../../platform/rpc/convert/fields.ts';
import { clientSecurity } from '../../platform/rpc/security/client-security.ts';
import { sweepSpecToProto } from '../../platform/rpc/convert/sweep.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import type { PlanSweepResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { TokenServiceService } from '../../../proto/gen/graft/v1/token_service.ts';
import { allPages } from './all-pages.ts';
import { tokenCalls } from './token-calls.ts';
import type { CheckpointChunk, GraftClient, Sweep, SweepEvent } from './types.ts';
import * as view from './view.ts';
import { viewMlflowDeadLetter, viewMlflowStatus } from './view-mlflow.ts';

type Service = RpcClient<typeof SweepServiceService>['call'];

/**
 * A client of the public service. Calls that find no coordinator are tried again for a few seconds.
 *
 * @param address `host:port`, or several with commas.
 * @param connection neither TLS nor token if not given.
 * @throws Error when the address is not of that form; ConfigError for certificates or a token that can't be used.
 */
export function createGraftClient(address: string, connection?: ConnectionConfig): GraftClient {
  const addresses = parseAddresses(address);
  const security = connection && clientSecurity(connection, addresses, createLogger('cli', 'silent'));
  const options = { addresses, ...(security && { security }) };
  const rpc = createClient(SweepServiceService, options);
  const tokens = createClient(TokenServiceService, options);
  const { call } = rpc;
  return {
    address,
    async planSweep(spec) {
      const pages: PlanSweepResponse[] = [];
      const request = { spec: sweepSpecToProto(spec), pageSize: 0 };
      for (let pageToken: string | null = ''; pageToken !== null;) {
        const page: PlanSweepResponse = await call.planSweep({ ...request, pageToken }, { deadlineMs: 120_000 });
        pages.push(page);
        pageToken = page.nextPageToken === '' ? null : page.nextPageToken;
      }
      return view.viewPlan(pages);
    },
    async createSweep(requestId, spec) {
      const request = { requestId, spec: sweepSpecToProto(spec) };
      const { sweep, ...said } = await call.createSweep(request, { deadlineMs: 120_000 });
      return { sweep: view.viewSweep(sweep), ...said };
    },
    async getSweep(sweepId) {
      return view.viewSweep((await call.getSweep({ sweepId })).sweep);
    },
    async getForecast(sweepId) {
      return view.viewForecast(await call.getSweep({ sweepId }));
    },
    listSweeps: (limit) => listSweeps(call, limit),
    watchSweep: (sweepId, cursor, signal) => watchSweep(call, sweepId, cursor, signal),
    async pauseSweep(sweepId, reason) {
      return view.viewSweep((await call.pauseSweep({ sweepId, reason })).sweep);
    },
    async resumeSweep(sweepId) {
      return view.viewSweep((await call.resumeSweep({ sweepId })).sweep);
    },
    async cancelSweep(sweepId, reason) {
      return view.viewSweep((await call.cancelSweep({ sweepId, reason })).sweep);
    },
    async listRuns(sweepId) {
      const runs = await allPages(200, async (page) => {
        const { runs: items, nextPageToken } = await call.listRuns({ sweepId, ...page });
        return { items, nextPageToken };
      });
      return runs.map(view.viewRun);
    },
    async getRun(runId) {
      const { run, attempts } = await call.getRun({ runId });
      return { run: view.viewRun(run), attempts: attempts.map(view.viewAttempt) };
    },
    async listEpochMetrics({ sweepId = '', runId = '' }) {
      const metrics = await allPages(5_000, async (page) => {
        const { metrics: items, nextPageToken } = await call.listEpochMetrics({ sweepId, runId, ...page });
        return { items, nextPageToken };
      });
      return metrics.map(view.viewEpochMetric);
    },
    async listCheckpoints({ sweepId = '', runId = '' }) {
      const checkpoints = await allPages(1_000, async (page) => {
        const { checkpoints: items, nextPageToken } = await call.listCheckpoints({ sweepId, runId, ...page });
        return { items, nextPageToken };
      });
      return checkpoints.map(view.viewCheckpoint);
    },
    async pinCheckpoint(checkpointId, pinned) {
      const { checkpoint } = await call.pinCheckpoint({ checkpointId, pinned });
      return view.viewCheckpoint(requireMessage(checkpoint, 'checkpoint'));
    },
    async collectCheckpoints({ sweepId, keepBest, dryRun }) {
      const answer = await call.collectCheckpoints({ sweepId: sweepId ?? '', keepBestCount: keepBest ?? 0, dryRun });
      return {
        checkpoints: answer.checkpoints.map(({ checkpoint, reason }) => ({
          checkpoint: view.viewCheckpoint(requireMessage(checkpoint, 'checkpoint')),
          reason,
        })),
        count: answer.checkpointCount,
        sizeBytes: numberOf(answer.sizeBytes, 'size_bytes'),
        keepBest: answer.keepBestCount,
      };
    },
    downloadCheckpoint: (checkpointId, offset, signal) => downloadCheckpoint(call, checkpointId, offset, signal),
    async getLeaderboard(sweepId) {
      let testLookCount = 0;
      const entries = await allPages(200, async (page) => {
        const response = await call.getLeaderboard({ sweepId, ...page });
        testLookCount = response.testLookCount;
        return { items: response.entries, nextPageToken: response.nextPageToken };
      });
      return { entries: entries.map(view.viewLeaderboardEntry), testLookCount };
    },
    async listTestPredictions(runId) {
      const predictions = await allPages(5_000, async (page) => {
        const { predictions: items, nextPageToken } = await call.listTestPredictions({ runId, ...page });
        return { items, nextPageToken };
      });
      return predictions.map(view.viewTestPrediction);
    },
    async listTrainers() {
      const trainers = await allPages(1_000, async (page) => {
        const { trainers: items, nextPageToken } = await call.listTrainers(page);
        return { items, nextPageToken };
      });
      return trainers.map(view.viewTrainer);
    },
    async forgetTrainer(trainerId) {
      await call.forgetTrainer({ trainerId });
    },
    async getDataset(datasetId, sweepId) {
      return view.viewDataset((await call.getDataset({ datasetId, sweepId })).dataset);
    },
    ...mlflowCalls(call),
    ...tokenCalls(tokens.call),
    close: () => {
      rpc.close();
      tokens.close();
    },
  };
}

function mlflowCalls(
  call: Service,
): Pick<GraftClient, 'getMlflowStatus' | 'listMlflowDeadLetters' | 'retryMlflowDeadLetters' | 'resendToMlflow'> {
  return {
    async getMlflowStatus() {
      return viewMlflowStatus(await call.getMlflowStatus({}));
    },
    async listMlflowDeadLetters(sweepId) {
      const letters = await allPages(1_000, async (page) => {
        const answer = await call.listMlflowDeadLetters({ sweepId: sweepId ?? '', ...page });
        return { items: answer.deadLetters, nextPageToken: answer.nextPageToken };
      });
      return letters.map(viewMlflowDeadLetter);
    },
    async retryMlflowDeadLetters(sweepId) {
      return (await call.retryMlflowDeadLetters({ sweepId: sweepId ?? '' })).entryCount;
    },
    async resendToMlflow(sweepId) {
      return (await call.resendToMlflow({ sweepId }, { deadlineMs: 60_000 })).entryCount;
    },
  };
}

async function listSweeps(call: Service, limit: number | undefined): Promise<readonly Sweep[]> {
  if (limit !== undefined) {
    const { sweeps } = await call.listSweeps({ pageSize: limit, pageToken: '' });
    return sweeps.map(view.viewSweep);
  }
  const sweeps = await allPages(200, async (page) => {
    const { sweeps: items, nextPageToken } = await call.listSweeps(page);
    return { items, nextPageToken };
  });
  return sweeps.map(view.viewSweep);
}

async function* watchSweep(
  call: Service,
  sweepId: string,
  cursor: bigint,
  signal: AbortSignal,
): AsyncGenerator<SweepEvent> {
  for await (const message of call.watchSweep({ sweepId, cursor }, { signal })) {
    const event = view.viewEvent(message);
    if (event !== null) yield event;
  }
}

async function* downloadCheckpoint(
  call: Service,
  checkpointId: string,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<CheckpointChunk> {
  const request = { checkpointId, offset: BigInt(offset) };
  for await (const chunk of call.downloadCheckpoint(request, { signal })) {
    yield {
      checkpoint: chunk.checkpoint === undefined ? null : view.viewCheckpoint(chunk.checkpoint),
      offset: numberOf(chunk.offset, 'offset'),
      data: chunk.data,
    };
  }
}
