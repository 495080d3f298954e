import { annotationViolations, nameProblem } from '../../../core/annotations.ts';
import type { AnnotationChange } from '../../../core/annotations.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import type { FieldViolation } from '../../../core/sweep/sweep-spec.ts';
import { validateScheduling } from '../../../core/validation/validate-search.ts';
import { ViolationList } from '../../../core/validation/violations.ts';
import { runToProto } from '../../../platform/rpc/convert/run.ts';
import { sweepToProto } from '../../../platform/rpc/convert/sweep.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type {
  SweepServiceService,
  UpdateRunRequest,
  UpdateSweepRequest,
} from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { annotateRun, updateSweep } from '../../store/steer/annotate.ts';
import { findRun } from '../../store/runs/list-runs.ts';
import { findSweep } from '../../store/sweeps/find-sweep.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

/** Returns the handlers of UpdateSweep and UpdateRun. */
export function annotateHandlers({
  store,
}: RpcContext): Pick<Handlers<typeof SweepServiceService>, 'updateSweep' | 'updateRun'> {
  return {
    updateSweep: async (request) => {
      const sweepId = requireId(request.sweepId, 'sweep_id');
      const { displayName = null, priority = null, maxParallelSlots = null } = request;
      const change = readChange(request, violationsOf(request));
      await updateSweep(store, sweepId, { ...change, displayName, priority, maxParallelSlots });
      return { sweep: sweepToProto(await findSweep(store, sweepId)) };
    },
    updateRun: async (request) => {
      const runId = requireId(request.runId, 'run_id');
      await annotateRun(store, runId, readChange(request, []));
      return { run: runToProto(await findRun(store, runId)) };
    },
  };
}

function violationsOf({ displayName, priority, maxParallelSlots }: UpdateSweepRequest): readonly FieldViolation[] {
  const found = new ViolationList();
  const problem = displayName === undefined ? null : nameProblem(displayName);
  if (problem !== null) found.add('display_name', problem);
  validateScheduling(
    {
      ...(priority === undefined ? {} : { priority }),
      // 0 removes the bound.
      ...(maxParallelSlots === undefined || maxParallelSlots === 0 ? {} : { maxParallelSlots }),
    },
    found,
  );
  return found.violations;
}

/** @throws InvalidRequestError with all mistakes, `found` first. */
function readChange(
  { notes, addTags, removeTags }: Omit<UpdateRunRequest, 'runId'>,
  found: readonly FieldViolation[],
): AnnotationChange {
  const change = { notes: notes ?? null, addTags, removeTags };
  const violations = [...found, ...annotationViolations(change)];
  if (violations.length > 0) throw new InvalidRequestError(violations);
  return change;
}
