import { z } from 'zod';
import { IllegalStateError } from '../../../core/errors.ts';
import { deadLetterToProto, mlflowStatusToProto } from '../../../platform/rpc/convert/mlflow.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { listDeadLetters } from '../../store/outbox/list-dead-letters.ts';
import { readMlflowStatus } from '../../store/outbox/read-status.ts';
import { resendSweep } from '../../store/outbox/resend-sweep.ts';
import { retryDeadLetters } from '../../store/outbox/retry-dead-letters.ts';
import { pageToken, readPage } from '../page.ts';
import { requireSweep } from '../require-existing.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const MAX_BIGINT = 2n ** 63n - 1n;
const KEY = z.object({
  entryId: z
    .string()
    .regex(/^\d{1,19}$/)
    .refine((id) => BigInt(id) <= MAX_BIGINT),
});

type Calls = Pick<
  Handlers<typeof SweepServiceService>,
  'getMlflowStatus' | 'listMlflowDeadLetters' | 'retryMlflowDeadLetters' | 'resendToMlflow'
>;

/** Returns the handlers of the calls that show the state of the MLflow mirror and repair it. */
export function mlflowHandlers({ store, mlflowUri }: RpcContext): Calls {
  function requireMirror(): void {
    if (mlflowUri !== null) return;
    const wanted = 'GRAFT_MLFLOW_TRACKING_URI set at the coordinator';
    throw new IllegalStateError('the MLflow mirror', 'OFF', 'send with', [wanted]);
  }
  return {
    getMlflowStatus: async () => mlflowStatusToProto(await readMlflowStatus(store.pool, mlflowUri)),
    listMlflowDeadLetters: async (request) => {
      const sweepId = request.sweepId === '' ? null : request.sweepId;
      const scope = `mlflow-dead-letters/${request.sweepId}`;
      const { limit, after } = readPage(request, { scope, defaultSize: 100, maxSize: 1000, key: KEY });
      const page = await listDeadLetters(store.pool, sweepId, after, limit);
      if (page.items.length === 0 && sweepId !== null) await requireSweep(store, sweepId);
      return { deadLetters: page.items.map(deadLetterToProto), nextPageToken: pageToken(scope, page.next) };
    },
    retryMlflowDeadLetters: async ({ sweepId }) => {
      requireMirror();
      if (sweepId !== '') await requireSweep(store, sweepId);
      return { entryCount: await retryDeadLetters(store, sweepId === '' ? null : sweepId) };
    },
    resendToMlflow: async ({ sweepId }) => {
      requireMirror();
      return { entryCount: await resendSweep(store, requireId(sweepId, 'sweep_id')) };
    },
  };
}
