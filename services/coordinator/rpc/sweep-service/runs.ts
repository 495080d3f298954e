import { z } from 'zod';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { EpochMetric, Run, TestPrediction } from '../../../../proto/gen/graft/v1/run.ts';
import {
  GetLeaderboardResponse,
  GetRunResponse,
  LeaderboardEntry,
  ListEpochMetricsResponse,
  ListRunsResponse,
  ListTestPredictionsResponse,
} from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { listEpochMetrics } from '../../store/metrics/list-epoch-metrics.ts';
import { findRun, listAttempts, listRuns } from '../../store/runs/list-runs.ts';
import { listTestPredictions } from '../../store/runs/list-test-predictions.ts';
import { countTestLooks, readLeaderboard } from '../../store/runs/read-leaderboard.ts';
import { attemptToProto, epochMetricToProto, leaderboardEntryToProto, runToProto } from '../convert-run.ts';
import { answerWith, encodeList, requireEntries } from '../lists/encode-list.ts';
import { fitAnswer } from '../lists/shorten-message.ts';
import { ID_KEY, INDEX_KEY, pageToken, PATH_KEY, readPage } from '../page.ts';
import { requireOwnerExists, requireSweep } from '../require-existing.ts';
import { requireId, requireOwner } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const RUN_KEY = z.object({ runIndex: INDEX_KEY });
const RANK_KEY = z.object({ rank: INDEX_KEY });
const METRIC_KEY = z.object({ runId: ID_KEY, stageOrder: INDEX_KEY, epoch: INDEX_KEY, name: ID_KEY });
const PREDICTION_KEY = z.object({ path: PATH_KEY });

type Calls = Pick<
  Handlers<typeof SweepServiceService>,
  'listRuns' | 'getRun' | 'listEpochMetrics' | 'getLeaderboard' | 'listTestPredictions'
>;

/** Reads of runs and what they left. */
export function runCalls({ store, longAnswers }: RpcContext): Calls {
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
    listEpochMetrics: async (request, { signal }) => {
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
    },
    getLeaderboard: async (request, { signal }) => {
      const sweepId = requireId(request.sweepId, 'sweep_id');
      const scope = `leaderboard/${sweepId}`;
      const asked = readPage(request, { scope, defaultSize: 100, maxSize: 1000, key: RANK_KEY });
      return longAnswers.run(signal, async () => {
        const page = await encodeList(longAnswers, {
          ...asked,
          fetch: (after, limit) => readLeaderboard(store, sweepId, after, limit),
          toProto: leaderboardEntryToProto,
          encoder: LeaderboardEntry,
          field: 1,
          largestSlice: asked.limit,
        });
        if (page.count === 0) await requireSweep(store, sweepId);
        requireEntries(page, asked);
        const testLookCount = await countTestLooks(store, sweepId);
        return answerWith(page, GetLeaderboardResponse, { testLookCount, nextPageToken: pageToken(scope, page.next) });
      });
    },
    listTestPredictions: async (request, { signal }) => {
      const runId = requireId(request.runId, 'run_id');
      const scope = `predictions/${runId}`;
      const asked = readPage(request, { scope, defaultSize: 1000, maxSize: 5000, key: PREDICTION_KEY });
      return longAnswers.run(signal, async () => {
        const page = await encodeList(longAnswers, {
          ...asked,
          fetch: (after, limit) => listTestPredictions(store, runId, after, limit),
          toProto: (item) => ({ ...item, runId, probabilities: [...item.probabilities] }),
          encoder: TestPrediction,
          field: 1,
        });
        if (page.count === 0) await findRun(store, runId);
        requireEntries(page, asked);
        return answerWith(page, ListTestPredictionsResponse, { nextPageToken: pageToken(scope, page.next) });
      });
    },
  };
}
