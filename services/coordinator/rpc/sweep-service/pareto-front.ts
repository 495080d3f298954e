import { GetParetoFrontResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { frontEntryToProto } from '../../../platform/rpc/convert/pareto-front.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { readFront } from '../../store/runs/read-front.ts';
import { fitAnswer } from '../lists/shorten-message.ts';
import { requireSweep } from '../require-existing.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

/** Returns the handler of GetParetoFront. */
export function getParetoFrontHandler({
  store,
  longAnswers,
}: RpcContext): Handlers<typeof SweepServiceService>['getParetoFront'] {
  return async (request, { signal }) => {
    const sweepId = requireId(request.sweepId, 'sweep_id');
    return longAnswers.run(signal, async () => {
      const front = await readFront(store, sweepId);
      if (front.length === 0) await requireSweep(store, sweepId);
      return fitAnswer({ entries: front.map(frontEntryToProto) }, GetParetoFrontResponse);
    });
  };
}
