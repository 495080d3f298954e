import type { ConnectionConfig } from '../../platform/config/connection-settings.ts';
import { createClient, parseAddresses } from '../../platform/rpc/client.ts';
import type { RpcClient } from '../../platform/rpc/client.ts';
import { attemptFromProto } from '../../platform/rpc/convert/attempt.ts';
import { checkpointRecordFromProto } from '../../platform/rpc/convert/checkpoint.ts';
import { datasetFromProto } from '../../platform/rpc/convert/dataset.ts';
import { deletionFromProto } from '../../platform/rpc/convert/deletion.ts';
import { epochMetricFromProto } from '../../platform/rpc/convert/epoch-metric.ts';
import { eventFromProto } from '../../platform/rpc/convert/event.ts';
import { absentNulls, numberOf, requireMessage } from '../../platform/rpc/convert/fields.ts';
import { forecastFromProto } from '../../platform/rpc/convert/forecast.ts';
import { handleKinds, resolvedHandleFromProto } from '../../platform/rpc/convert/handle.ts';
import { leaderboardEntryFromProto, winnerStatementFromProto } from '../../platform/rpc/convert/leaderboard.ts';
import { deadLetterFromProto, mlflowStatusFromProto } from '../../platform/rpc/convert/mlflow.ts';
import { planFromProto } from '../../platform/rpc/convert/plan.ts';
import { parametersToProto } from '../../platform/rpc/convert/parameter.ts';
import { budgetChangeToProto } from '../../platform/rpc/convert/search.ts';
import { runFromProto } from '../../platform/rpc/convert/run.ts';
import { sweepFromProto, sweepSpecToProto } from '../../platform/rpc/convert/sweep.ts';
import { testPredictionFromProto } from '../../platform/rpc/convert/test-prediction.ts';
import { trainerFromProto } from '../../platform/rpc/convert/trainer.ts';
import { winnerFromProto } from '../../platform/rpc/convert/winner.ts';
import { RpcError } from '../../platform/rpc/errors.ts';
import { clientSecurity } from '../../platform/rpc/security/client-security.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import type {
  GetLeaderboardResponse,
  PlanSweepResponse,
  UpdateRunRequest,
} from '../../../proto/gen/graft/v1/sweep_service.ts';
import { TokenServiceService } from '../../../proto/gen/graft/v1/token_service.ts';
import { allPages } from './all-pages.ts';
import { searchCalls } from './search-calls.ts';
import { tokenCalls } from './token-calls.ts';
import type { AnnotationChange } from '../../core/annotations.ts';
import { PermissionDeniedError } from '../../core/errors.ts';
import { LATEST, parseRunOfSweep } from '../../core/handle.ts';
import type { HandleKind } from '../../core/handle.ts';
import type { StoredEvent } from '../../core/records/event.ts';
import type { ResolvedHandle } from '../../core/records/handle.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { CheckpointChunk, GraftClient, Leaderboard, SweepFilter } from './client-port.ts';

type Service = RpcClient<typeof SweepServiceService>['call'];

type StatedWinner = Pick<Leaderboard, 'winnerStatement' | 'winner'>;

/** Returns what a page of the leaderboard says about the winner. Earlier coordinators send less. */
function statedWinner({ winnerStatement, winner }: GetLeaderboardResponse): StatedWinner {
  return {
    winnerStatement: winnerStatement === undefined ? null : winnerStatementFromProto(winnerStatement),
    winner: winner === undefined ? null : winnerFromProto(winner),
  };
}

/**
 * Creates a client of the public service. Calls that reach no coordinator are retried for a few seconds.
 *
 * @param address `host:port`, or several separated by commas.
 * @param connection default: neither TLS nor token.
 * @throws Error if the address has another form; ConfigError for unusable certificates or an unusable token.
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
    async planSweep(spec, counted) {
      const pages: PlanSweepResponse[] = [];
      const request = { spec: sweepSpecToProto(spec), pageSize: 0, countedImages: counted ?? undefined };
      for (let pageToken: string | null = ''; pageToken !== null;) {
        const page: PlanSweepResponse = await call.planSweep({ ...request, pageToken }, { deadlineMs: 120_000 });
        pages.push(page);
        pageToken = page.nextPageToken === '' ? null : page.nextPageToken;
      }
      return planFromProto(pages);
    },
    async createSweep(requestId, spec) {
      const request = { requestId, spec: sweepSpecToProto(spec) };
      const { sweep, ...said } = await call.createSweep(request, { deadlineMs: 120_000 });
      return { sweep: sweepFromProto(sweep), ...said };
    },
    async getSweep(sweepId) {
      return sweepFromProto((await call.getSweep({ sweepId })).sweep);
    },
    async getForecast(sweepId) {
      return forecastFromProto(await call.getSweep({ sweepId }));
    },
    listSweeps: (filter = {}) => listSweeps(call, filter),
    async updateSweep(sweepId, { displayName, priority, maxParallelSlots, ...change }) {
      const fields = absentNulls({ displayName, priority, maxParallelSlots });
      return sweepFromProto((await call.updateSweep({ sweepId, ...fields, ...annotations(change) })).sweep);
    },
    async updateRun(runId, change) {
      return runFromProto((await call.updateRun({ runId, ...annotations(change) })).run);
    },
    watchSweep: (sweepId, cursor, signal) => watchSweep(call, sweepId, cursor, signal),
    async pauseSweep(sweepId, reason) {
      return sweepFromProto((await call.pauseSweep({ sweepId, reason })).sweep);
    },
    async resumeSweep(sweepId) {
      return sweepFromProto((await call.resumeSweep({ sweepId })).sweep);
    },
    async cancelSweep(sweepId, reason) {
      return sweepFromProto((await call.cancelSweep({ sweepId, reason })).sweep);
    },
    async killSweep(sweepId, reason) {
      return sweepFromProto((await call.killSweep({ sweepId, reason })).sweep);
    },
    async extendSweep(sweepId, { maxRuns, variants, epochs, fineTuneEpochs, budget }, reason) {
      const request = {
        sweepId,
        maxRuns: maxRuns ?? 0,
        variants: variants.map((variant) => ({ parameters: parametersToProto(variant) })),
        epochs: epochs ?? 0,
        fineTuneEpochs: fineTuneEpochs ?? 0,
        budget: undefined,
        reason,
        budgetChange: budget === null ? undefined : budgetChangeToProto(budget),
      };
      return sweepFromProto((await call.extendSweep(request, { deadlineMs: 120_000 })).sweep);
    },
    async deleteSweep(sweepId, dryRun) {
      return deletionFromProto(await call.deleteSweep({ sweepId, dryRun }, { deadlineMs: 120_000 }));
    },
    async retryRun(runId, reason) {
      return runFromProto((await call.retryRun({ runId, reason })).run);
    },
    async stopRun(runId, reason) {
      return runFromProto((await call.stopRun({ runId, reason })).run);
    },
    async listRuns(sweepId) {
      const runs = await allPages(200, async (page) => {
        const { runs: items, nextPageToken } = await call.listRuns({ sweepId, ...page });
        return { items, nextPageToken };
      });
      return runs.map(runFromProto);
    },
    async getRun(runId) {
      const { run, attempts } = await call.getRun({ runId });
      return { run: runFromProto(run), attempts: attempts.map(attemptFromProto) };
    },
    async listEpochMetrics({ sweepId = '', runId = '' }) {
      return await allPages(5_000, async (page) => {
        const { metrics, nextPageToken } = await call.listEpochMetrics({ sweepId, runId, ...page });
        return { items: metrics.map(epochMetricFromProto), nextPageToken };
      });
    },
    async listCheckpoints({ sweepId = '', runId = '' }) {
      const checkpoints = await allPages(1_000, async (page) => {
        const { checkpoints: items, nextPageToken } = await call.listCheckpoints({ sweepId, runId, ...page });
        return { items, nextPageToken };
      });
      return checkpoints.map(checkpointRecordFromProto);
    },
    async pinCheckpoint(checkpointId, pinned) {
      const { checkpoint } = await call.pinCheckpoint({ checkpointId, pinned });
      return checkpointRecordFromProto(checkpoint);
    },
    async collectCheckpoints({ sweepId, keepBest, dryRun }) {
      const answer = await call.collectCheckpoints({ sweepId: sweepId ?? '', keepBestCount: keepBest ?? 0, dryRun });
      return {
        checkpoints: answer.checkpoints.map(({ checkpoint, reason }) => ({
          checkpoint: checkpointRecordFromProto(checkpoint),
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
      let stated: StatedWinner = { winnerStatement: null, winner: null };
      const entries = await allPages(200, async (page) => {
        const response = await call.getLeaderboard({ sweepId, ...page });
        testLookCount = response.testLookCount;
        // The first page has it.
        if (page.pageToken === '') stated = statedWinner(response);
        return { items: response.entries, nextPageToken: response.nextPageToken };
      });
      return { entries: entries.map(leaderboardEntryFromProto), testLookCount, ...stated };
    },
    async stateWinner(sweepId) {
      return statedWinner(await call.getLeaderboard({ sweepId, pageSize: 1, pageToken: '' }));
    },
    async listTestPredictions(runId) {
      const predictions = await allPages(5_000, async (page) => {
        const { predictions: items, nextPageToken } = await call.listTestPredictions({ runId, ...page });
        return { items, nextPageToken };
      });
      return predictions.map(testPredictionFromProto);
    },
    resolveHandle: (kind, handle) => resolveHandle(call, kind, handle),
    async listTrainers() {
      const trainers = await allPages(1_000, async (page) => {
        const { trainers: items, nextPageToken } = await call.listTrainers(page);
        return { items, nextPageToken };
      });
      return trainers.map(trainerFromProto);
    },
    async forgetTrainer(trainerId) {
      await call.forgetTrainer({ trainerId });
    },
    async getDataset(datasetId, sweepId) {
      const { dataset } = await call.getDataset({ datasetId, sweepId });
      return datasetFromProto(requireMessage(dataset, 'dataset'), 'dataset');
    },
    ...searchCalls(call),
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
      return mlflowStatusFromProto(await call.getMlflowStatus({}));
    },
    async listMlflowDeadLetters(sweepId) {
      const letters = await allPages(1_000, async (page) => {
        const answer = await call.listMlflowDeadLetters({ sweepId: sweepId ?? '', ...page });
        return { items: answer.deadLetters, nextPageToken: answer.nextPageToken };
      });
      return letters.map(deadLetterFromProto);
    },
    async retryMlflowDeadLetters(sweepId) {
      return (await call.retryMlflowDeadLetters({ sweepId: sweepId ?? '' })).entryCount;
    },
    async resendToMlflow(sweepId) {
      return (await call.resendToMlflow({ sweepId }, { deadlineMs: 60_000 })).entryCount;
    },
  };
}

async function listSweeps(call: Service, { limit, tag }: SweepFilter): Promise<readonly SweepRecord[]> {
  if (limit !== undefined) {
    const { sweeps } = await call.listSweeps({ pageSize: limit, pageToken: '', tag });
    return tagged(sweeps.map(sweepFromProto), tag);
  }
  const sweeps = await allPages(200, async (page) => {
    const { sweeps: items, nextPageToken } = await call.listSweeps({ ...page, tag });
    return { items, nextPageToken };
  });
  return tagged(sweeps.map(sweepFromProto), tag);
}

/** Returns the sweeps with a tag. A coordinator of an earlier version ignores it, and sends all. */
function tagged(sweeps: readonly SweepRecord[], tag: string | undefined): readonly SweepRecord[] {
  return tag === undefined ? sweeps : sweeps.filter(({ tags }) => tags.includes(tag));
}

function annotations({ notes, addTags, removeTags }: AnnotationChange): Omit<UpdateRunRequest, 'runId'> {
  return { notes: notes ?? undefined, addTags: [...addTags], removeTags: [...removeTags] };
}

async function resolveHandle(call: Service, kind: HandleKind, handle: string): Promise<ResolvedHandle> {
  try {
    return resolvedHandleFromProto(await call.resolveHandle({ kind: handleKinds.toProto(kind), handle }));
  } catch (error) {
    // A coordinator of an earlier version knows identities only, and a trainer's token may not look things up. The call that follows
    // checks the identity, and names itself if its role is missing.
    const isUnknownCall = error instanceof RpcError && error.code === 'UNIMPLEMENTED';
    if (!isUnknownCall && !(error instanceof PermissionDeniedError)) throw error;
    if (isUnknownCall && kind !== 'SWEEP' && (handle === LATEST || parseRunOfSweep(handle) !== null)) {
      const problem = `'${handle}' can't be resolved: the coordinator is of an earlier version, which knows a ${kind.toLowerCase()} by its id only.`;
      return { outcome: 'NOT_FOUND', id: '', problem, candidates: [] };
    }
    const isLatest = kind === 'SWEEP' && handle === LATEST;
    const id = isLatest ? ((await listSweeps(call, { limit: 1 }))[0]?.sweepId ?? '') : handle;
    const outcome = id === '' ? 'NOT_FOUND' : 'FOUND';
    return { outcome, id, problem: id === '' ? 'There is no sweep yet.' : '', candidates: [] };
  }
}

async function* watchSweep(
  call: Service,
  sweepId: string,
  cursor: bigint,
  signal: AbortSignal,
): AsyncGenerator<StoredEvent> {
  for await (const message of call.watchSweep({ sweepId, cursor }, { signal })) {
    const event = eventFromProto(message);
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
      checkpoint: chunk.checkpoint === undefined ? null : checkpointRecordFromProto(chunk.checkpoint),
      offset: numberOf(chunk.offset, 'offset'),
      data: chunk.data,
    };
  }
}
