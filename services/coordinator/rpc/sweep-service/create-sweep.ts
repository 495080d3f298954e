import type { Handlers } from '../../../platform/rpc/server.ts';
import { tracer } from '../../../platform/telemetry/tracer.ts';
import { newSweepId } from '../../new-id.ts';
import { createSweep } from '../../store/sweeps/create-sweep.ts';
import { jobOptions } from '../authorisation/caller.ts';
import { sweepToProto } from '../../../platform/rpc/convert/sweep.ts';
import { valueOf } from '../planning/checked.ts';
import type { RpcContext } from '../rpc-context.ts';
import type { SWEEP_SERVICE } from './definition.ts';

/** Returns the handler of CreateSweep. */
export function createSweepHandler({
  store,
  plans,
  submissions,
}: RpcContext): Handlers<typeof SWEEP_SERVICE>['createSweep'] {
  return async (bytes, call) => {
    const sweepId = newSweepId();
    const draft = valueOf(await plans.run('draft', { request: bytes, sweepId }, jobOptions(call)));
    const span = tracer().active;
    const created = await submissions.run(call.signal, () => createSweep(store, draft, span?.traceparent));
    span?.set({ 'graft.sweep_id': created.sweep.sweepId, 'graft.run_count': created.sweep.runCount });
    const { sweep, duplicateCount, missingCount, notes } = created;
    return { sweep: sweepToProto(sweep), duplicateCount, missingRunCount: missingCount, notes: [...notes] };
  };
}
