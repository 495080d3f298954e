import type { Handlers } from '../../../platform/rpc/server.ts';
import { runToProto } from '../../../platform/rpc/convert/run.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { findRun } from '../../store/runs/list-runs.ts';
import { retryRun } from '../../store/steer/retry-run.ts';
import { stopRun } from '../../store/steer/stop-run.ts';
import { callerNameOf } from '../authorisation/caller.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';
import { reasonOf, requireReason } from './steer-sweep.ts';

/** Returns the handlers of StopRun and RetryRun. Each answers with the updated run. */
export function steerRunHandlers({
  store,
}: RpcContext): Pick<Handlers<typeof SweepServiceService>, 'stopRun' | 'retryRun'> {
  return {
    stopRun: async (request, call) => {
      const runId = requireId(request.runId, 'run_id');
      await stopRun(store, runId, reasonOf('stopped', callerNameOf(call), requireReason(request.reason)));
      return { run: runToProto(await findRun(store, runId)) };
    },
    retryRun: async (request, call) => {
      const runId = requireId(request.runId, 'run_id');
      await retryRun(store, runId, reasonOf('retried', callerNameOf(call), requireReason(request.reason)));
      return { run: runToProto(await findRun(store, runId)) };
    },
  };
}
