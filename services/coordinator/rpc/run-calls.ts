import { z } from 'zod';
import type { Handlers } from '../../platform/rpc/server.ts';
import type { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { listEpochMetrics } from '../store/metrics/list-epoch-metrics.ts';
import { findRun, listAttempts, listRuns } from '../store/runs/list-runs.ts';
import { listTestPredictions } from '../store/runs/list-test-predictions.ts';
import { countTestLooks, readLeaderboard } from '../store/runs/read-leaderboard.ts';
import { attemptToProto, epochMetricToProto, runToProto, testResultToProto } from './convert-run.ts';
import { pageToken, readPage } from './page.ts';
import { requireOwnerExists, requireSweep } from './require-existing.ts';
import { requireId, requireOwner } from './require-id.ts';
import type { RpcContext } from './rpc-context.ts';

const RUN_KEY = z.object({ runIndex: z.int() });
const RANK_KEY = z.object({ rank: z.int() });
const METRIC_KEY = z.object({ runId: z.string(), stageOrder: z.int(), epoch: z.int(), name: z.string() });
const PREDICTION_KEY = z.object({ path: z.string() });

type Calls = Pick<
  Handlers<typeof SweepServiceService>,
  'listRuns' | 'getRun' | 'listEpochMetrics' | 'getLeaderboard' | 'listTestPredictions'
>;

/** Reads of runs and what they left. */
export function runCalls({ store }: RpcContext): Calls {
  return {
    listRuns: async (request) => {
      const sweepId = requireId(request.sweepId, 'sweep_id');
      const scope = `runs/${sweepId}`;
      const { limit, after } = readPage(request, { scope, defaultSize: 100, maxSize: 1000, key: RUN_KEY });
      const page = await listRuns(store, sweepId, after, limit);
      if (page.items.length === 0) await requireSweep(store, sweepId);
      return { runs: page.items.map(runToProto), nextPageToken: pageToken(scope, page.next) };
    },
    getRun: async (request) => {
      const run = await findRun(store, requireId(request.runId, 'run_id'));
      return { run: runToProto(run), attempts: (await listAttempts(store, run.runId)).map(attemptToProto) };
    },
    listEpochMetrics: async (request) => {
      const owner = requireOwner(request);
      const scope = `metrics/${owner.sweepId ?? ''}/${owner.runId ?? ''}`;
      const { limit, after } = readPage(request, { scope, defaultSize: 1000, maxSize: 5000, key: METRIC_KEY });
      const page = await listEpochMetrics(store, owner, after, limit);
      if (page.items.length === 0) await requireOwnerExists(store, owner);
      return { metrics: page.items.map(epochMetricToProto), nextPageToken: pageToken(scope, page.next) };
    },
    getLeaderboard: async (request) => {
      const sweepId = requireId(request.sweepId, 'sweep_id');
      const scope = `leaderboard/${sweepId}`;
      const { limit, after } = readPage(request, { scope, defaultSize: 100, maxSize: 1000, key: RANK_KEY });
      const page = await readLeaderboard(store, sweepId, after, limit);
      if (page.items.length === 0) await requireSweep(store, sweepId);
      return {
        entries: page.items.map(({ rank, run, testResult }) => ({
          rank,
          run: runToProto(run),
          testResult: testResult === null ? undefined : testResultToProto(testResult),
        })),
        testLookCount: await countTestLooks(store, sweepId),
        nextPageToken: pageToken(scope, page.next),
      };
    },
    listTestPredictions: async (request) => {
      const runId = requireId(request.runId, 'run_id');
      const scope = `predictions/${runId}`;
      const { limit, after } = readPage(request, { scope, defaultSize: 1000, maxSize: 5000, key: PREDICTION_KEY });
      const page = await listTestPredictions(store, runId, after, limit);
      if (page.items.length === 0) await findRun(store, runId);
      return {
        predictions: page.items.map((item) => ({ ...item, runId, probabilities: [...item.probabilities] })),
        nextPageToken: pageToken(scope, page.next),
      };
    },
  };
}
