import { z } from 'zod';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { Sweep } from '../../../../proto/gen/graft/v1/sweep.ts';
import { GetSweepResponse, ListSweepsResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { findSweep, listSweeps } from '../../store/sweeps/find-sweep.ts';
import { readForecasts } from '../../store/sweeps/read-forecasts.ts';
import { forecastToProto } from '../../../platform/rpc/convert/forecast.ts';
import { sweepToProto } from '../../../platform/rpc/convert/sweep.ts';
import { answerWith, encodeList } from '../lists/encode-list.ts';
import { fitAnswer } from '../lists/shorten-message.ts';
import { ID_KEY, pageToken, readPage, TIME_KEY } from '../page.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const RULES = { defaultSize: 100, maxSize: 1000, key: z.object({ createTime: TIME_KEY, sweepId: ID_KEY }) };

/** Returns the handlers of GetSweep and ListSweeps. */
export function sweepHandlers({
  store,
  longAnswers,
}: RpcContext): Pick<Handlers<typeof SweepServiceService>, 'getSweep' | 'listSweeps'> {
  return {
    getSweep: async (request) => {
      const sweep = await findSweep(store, requireId(request.sweepId, 'sweep_id'));
      const answer = { sweep: sweepToProto(sweep), ...forecastToProto(await readForecasts(store, sweep.sweepId)) };
      return fitAnswer(answer, GetSweepResponse);
    },
    listSweeps: (request, { signal }) =>
      longAnswers.run(signal, async () => {
        const tag = request.tag === undefined ? null : requireId(request.tag, 'tag');
        const scope = tag === null ? 'sweeps' : `sweeps/${tag}`;
        const page = await encodeList(longAnswers, {
          ...readPage(request, { ...RULES, scope }),
          fetch: (after, limit) => listSweeps(store, tag, after, limit),
          toProto: sweepToProto,
          encoder: Sweep,
          field: 1,
        });
        return answerWith(page, ListSweepsResponse, { nextPageToken: pageToken(scope, page.next) });
      }),
  };
}
