import { CreateSweepRequest } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { SweepSpec as ProtoSweepSpec } from '../../../../proto/gen/graft/v1/sweep.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import { previewSweep } from '../../../core/planner/preview-sweep.ts';
import type { SweepPlanRecord } from '../../../core/records/plan.ts';
import { serveJobs } from '../../../platform/lifecycle/worker-jobs.ts';
import { draftSweep } from '../../store/sweeps/draft-sweep.ts';
import type { SweepDraft } from '../../store/sweeps/draft-sweep.ts';
import { checked } from './checked.ts';
import type { Checked } from './checked.ts';
import { clusterOf } from './plan-inputs.ts';
import type { PlanInputs } from './plan-inputs.ts';
import { pagesOf } from './plan-pages.ts';
import type { PlanCursor, PlanPage } from './plan-pages.ts';
import { readSpec } from './read-spec.ts';

export interface PlanJob {
  /** Encoded SweepSpec; null: the request has none. */
  readonly spec: Uint8Array | null;
  readonly inputs: PlanInputs;
  readonly from: PlanCursor;
  readonly pageSize: number;
}

/** Jobs that plan and draft sweeps off the event loop. The largest requests that the limits allow take seconds. */
export const PLAN_JOBS = {
  /** Returns the pages of a plan from `from` on. */
  plan: ({ spec, inputs, from, pageSize }: PlanJob): Checked<readonly PlanPage[]> =>
    checked(() => {
      const read = readSpec(spec === null ? undefined : ProtoSweepSpec.decode(spec));
      const plan = previewSweep(read, clusterOf(inputs), inputs.images);
      requireWithin(from, plan);
      return pagesOf(plan, from, pageSize);
    }),

  /** Returns the rows of a new sweep. @param job.request an encoded CreateSweepRequest */
  draft: ({ request, sweepId }: { readonly request: Uint8Array; readonly sweepId: string }): Checked<SweepDraft> =>
    checked(() => {
      const { requestId, spec } = CreateSweepRequest.decode(request);
      requireShort(requestId);
      return draftSweep(sweepId, requestId, readSpec(spec));
    }),
};

const MAX_REQUEST_ID_LENGTH = 200;

function requireShort(requestId: string): void {
  if (requestId.length <= MAX_REQUEST_ID_LENGTH) return;
  const description = `must have at most ${MAX_REQUEST_ID_LENGTH} characters; received ${requestId.length}.`;
  throw new InvalidRequestError([{ field: 'request_id', description }]);
}

function requireWithin(from: PlanCursor, { runs, tasks }: SweepPlanRecord): void {
  if (from.run <= runs.length && from.task <= tasks.length) return;
  const description = `is beyond the end: the plan has ${runs.length} runs and ${tasks.length} tasks. Send the request without page_token.`;
  throw new InvalidRequestError([{ field: 'page_token', description }]);
}

serveJobs(PLAN_JOBS, (result) => {
  const { value } = result as { readonly value?: unknown };
  return Array.isArray(value) ? (value as readonly PlanPage[]).map(({ bytes }) => bytes.buffer as ArrayBuffer) : [];
});
