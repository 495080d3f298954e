import { annotationViolations, nameProblem } from '../../../core/annotations.ts';
import type { AnnotationChange } from '../../../core/annotations.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import type { FieldViolation } from '../../../core/sweep/sweep-spec.ts';
import { runToProto } from '../../../platform/rpc/convert/run.ts';
import { sweepToProto } from '../../../platform/rpc/convert/sweep.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type { SweepServiceService, UpdateRunRequest } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { annotateRun, annotateSweep } from '../../store/steer/annotate.ts';
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
      const displayName = request.displayName ?? null;
      const problem = displayName === null ? null : nameProblem(displayName);
      const change = readChange(request, problem === null ? [] : [{ field: 'display_name', description: problem }]);
      await annotateSweep(store, sweepId, { ...change, displayName });
      return { sweep: sweepToProto(await findSweep(store, sweepId)) };
    },
    updateRun: async (request) => {
      const runId = requireId(request.runId, 'run_id');
      await annotateRun(store, runId, readChange(request, []));
      return { run: runToProto(await findRun(store, runId)) };
    },
  };
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
