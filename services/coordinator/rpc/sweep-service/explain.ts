import { z } from 'zod';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { Decision, RungEntry } from '../../../../proto/gen/graft/v1/decision.ts';
import {
  ExplainRunResponse,
  ExplainSweepResponse,
  ListDecisionsResponse,
  ListRungEntriesResponse,
} from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import {
  decisionToProto,
  rungEntryToProto,
  runExplanationToProto,
  sweepExplanationToProto,
} from '../../../platform/rpc/convert/decision.ts';
import { runToProto } from '../../../platform/rpc/convert/run.ts';
import { sweepToProto } from '../../../platform/rpc/convert/sweep.ts';
import { explainRun } from '../../store/explain/explain-run.ts';
import { explainSweep } from '../../store/explain/explain-sweep.ts';
import { listDecisions } from '../../store/explain/list-decisions.ts';
import { listRungEntries } from '../../store/explain/list-rung-entries.ts';
import { findRun } from '../../store/runs/list-runs.ts';
import { findSweep } from '../../store/sweeps/find-sweep.ts';
import { answerWith, encodeList } from '../lists/encode-list.ts';
import { fitAnswer } from '../lists/shorten-message.ts';
import { INDEX_KEY, pageToken, readPage } from '../page.ts';
import { requireOwnerExists, requireSweep } from '../require-existing.ts';
import { requireId, requireOwner } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const DECISION_KEY = z.object({ decisionId: z.string().regex(/^\d{1,18}$/) });
const ENTRY_KEY = z.object({ rung: INDEX_KEY, arrival: INDEX_KEY });
const SIZES = { defaultSize: 100, maxSize: 1000 };

type Method = 'listDecisions' | 'listRungEntries' | 'explainRun' | 'explainSweep';

/** Returns the handlers of ListDecisions, ListRungEntries, ExplainRun and ExplainSweep. */
export function explainHandlers({
  store,
  longAnswers,
}: RpcContext): Pick<Handlers<typeof SweepServiceService>, Method> {
  return {
    listDecisions: (request, { signal }) => {
      const owner = requireOwner(request);
      const scope = `decisions/${owner.sweepId ?? ''}/${owner.runId ?? ''}`;
      const asked = readPage(request, { ...SIZES, scope, key: DECISION_KEY });
      return longAnswers.run(signal, async () => {
        const page = await encodeList(longAnswers, {
          ...asked,
          fetch: (after, limit) => listDecisions(store, owner, after, limit),
          toProto: decisionToProto,
          encoder: Decision,
          field: 1,
        });
        if (page.count === 0) await requireOwnerExists(store, owner);
        return answerWith(page, ListDecisionsResponse, { nextPageToken: pageToken(scope, page.next) });
      });
    },
    listRungEntries: (request, { signal }) => {
      const sweepId = requireId(request.sweepId, 'sweep_id');
      const scope = `rung-entries/${sweepId}`;
      const asked = readPage(request, { ...SIZES, scope, key: ENTRY_KEY });
      return longAnswers.run(signal, async () => {
        const page = await encodeList(longAnswers, {
          ...asked,
          fetch: (after, limit) => listRungEntries(store, sweepId, after, limit),
          toProto: rungEntryToProto,
          encoder: RungEntry,
          field: 1,
          // Each read ranks all entries of the sweep.
          largestSlice: SIZES.maxSize,
        });
        if (page.count === 0) await requireSweep(store, sweepId);
        return answerWith(page, ListRungEntriesResponse, { nextPageToken: pageToken(scope, page.next) });
      });
    },
    explainRun: (request, { signal }) => {
      const runId = requireId(request.runId, 'run_id');
      return longAnswers.run(signal, async () => {
        const run = await findRun(store, runId);
        const answer = { run: runToProto(run), ...runExplanationToProto(await explainRun(store, run)) };
        return fitAnswer(answer, ExplainRunResponse);
      });
    },
    explainSweep: (request, { signal }) => {
      const sweepId = requireId(request.sweepId, 'sweep_id');
      return longAnswers.run(signal, async () => {
        const sweep = await findSweep(store, sweepId);
        const explanation = await explainSweep(store, sweep, request.replay);
        const answer = { sweep: sweepToProto(sweep), ...sweepExplanationToProto(explanation) };
        return fitAnswer(answer, ExplainSweepResponse);
      });
    },
  };
}
