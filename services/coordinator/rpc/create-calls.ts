import { InvalidRequestError } from '../../core/errors.ts';
import { validateSweepSpec } from '../../core/search-space/validate-spec.ts';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { requireMessage } from '../../platform/rpc/convert/fields.ts';
import { sweepSpecFromProto } from '../../platform/rpc/convert/sweep.ts';
import type { Handlers } from '../../platform/rpc/server.ts';
import { tracer } from '../../platform/telemetry/tracer.ts';
import type { SweepSpec as ProtoSweepSpec } from '../../../proto/gen/graft/v1/sweep.ts';
import type { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { newSweepId } from '../new-id.ts';
import { createSweep } from '../store/sweeps/create-sweep.ts';
import { previewOf } from '../store/sweeps/preview.ts';
import { previewToProto } from './convert-plan.ts';
import { sweepToProto } from './convert-sweep.ts';
import type { RpcContext } from './rpc-context.ts';

const MAX_REQUEST_ID_LENGTH = 200;

/** PlanSweep and CreateSweep. */
export function createCalls({
  store,
}: RpcContext): Pick<Handlers<typeof SweepServiceService>, 'planSweep' | 'createSweep'> {
  return {
    planSweep: async (request) => previewToProto(await previewOf(store, readSpec(request.spec))),
    createSweep: async (request) => {
      const spec = readSpec(request.spec);
      if (request.requestId.length > MAX_REQUEST_ID_LENGTH) {
        const description = `must have at most ${MAX_REQUEST_ID_LENGTH} characters; received ${request.requestId.length}.`;
        throw new InvalidRequestError([{ field: 'request_id', description }]);
      }
      const span = tracer().active;
      const created = await createSweep(store, {
        sweepId: newSweepId(),
        requestId: request.requestId,
        spec,
        traceparent: span?.traceparent ?? null,
      });
      span?.set({ 'graft.sweep_id': created.sweep.sweepId, 'graft.run_count': created.sweep.runCount });
      const { sweep, duplicateCount, missingCount, notes } = created;
      return { sweep: sweepToProto(sweep), duplicateCount, missingRunCount: missingCount, notes: [...notes] };
    },
  };
}

/** Mistakes in the form and in the meaning are answered together; one field is named once. */
function readSpec(message: ProtoSweepSpec | undefined): SweepSpec {
  const { spec, violations: formal } = sweepSpecFromProto(requireMessage(message, 'spec'));
  const named = new Set(formal.map(({ field }) => field));
  const violations = [...formal, ...validateSweepSpec(spec).filter(({ field }) => !named.has(field))];
  if (violations.length > 0) throw new InvalidRequestError(violations);
  return spec;
}
