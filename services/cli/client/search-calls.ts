import type { Calls } from '../../platform/rpc/client.ts';
import {
  decisionFromProto,
  rungEntryFromProto,
  runExplanationFromProto,
  sweepExplanationFromProto,
} from '../../platform/rpc/convert/decision.ts';
import { frontEntryFromProto } from '../../platform/rpc/convert/pareto-front.ts';
import { RpcError } from '../../platform/rpc/errors.ts';
import type { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { allPages } from './all-pages.ts';
import type { GraftClient } from './client-port.ts';

type SearchCalls = 'listDecisions' | 'listRungEntries' | 'explainRun' | 'explainSweep' | 'getParetoFront';

/** Creates the calls about the search of a sweep. A coordinator of an earlier version has no searches, and so nothing to list. */
export function searchCalls(call: Calls<typeof SweepServiceService>): Pick<GraftClient, SearchCalls> {
  return {
    async listDecisions({ sweepId = '', runId = '' }) {
      const list = allPages(1_000, async (page) => {
        const { decisions: items, nextPageToken } = await call.listDecisions({ sweepId, runId, ...page });
        return { items, nextPageToken };
      });
      return ((await ifKnown(list)) ?? []).map(decisionFromProto);
    },
    async listRungEntries(sweepId) {
      const list = allPages(1_000, async (page) => {
        const { entries: items, nextPageToken } = await call.listRungEntries({ sweepId, ...page });
        return { items, nextPageToken };
      });
      return ((await ifKnown(list)) ?? []).map(rungEntryFromProto);
    },
    async explainRun(runId) {
      const answer = await ifKnown(call.explainRun({ runId }));
      return answer && runExplanationFromProto(answer);
    },
    async getParetoFront(sweepId) {
      const answer = await ifKnown(call.getParetoFront({ sweepId }));
      return answer && answer.entries.map(frontEntryFromProto);
    },
    async explainSweep(sweepId, replay) {
      const answer = await ifKnown(call.explainSweep({ sweepId, replay }, { deadlineMs: 120_000 }));
      return answer && sweepExplanationFromProto(answer);
    },
  };
}

/** Returns the answer of a call, or null if the coordinator does not know the call. */
async function ifKnown<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RpcError && error.code === 'UNIMPLEMENTED') return null;
    throw error;
  }
}
