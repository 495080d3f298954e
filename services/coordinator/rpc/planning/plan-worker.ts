import { CreateSweepRequest } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { SweepSpec as ProtoSweepSpec } from '../../../../proto/gen/graft/v1/sweep.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import type { Objective } from '../../../core/objective.ts';
import { previewSweep } from '../../../core/planner/preview-sweep.ts';
import type { TrainedBefore } from '../../../core/planner/preview-sweep.ts';
import { resultDigestsOf } from '../../../core/planner/result-digest.ts';
import type { ResultDigests } from '../../../core/planner/result-digest.ts';
import type { SweepPlanRecord } from '../../../core/records/plan.ts';
import { sampleRuns } from '../../../core/samplers/sample-runs.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
import { ladderRun } from '../../../core/stopping/ladder.ts';
import { pausesAtRungs, policyOf } from '../../../core/stopping/policy.ts';
import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { WeightsInfo } from '../../../core/task.ts';
import { serveJobs } from '../../../platform/lifecycle/worker-jobs.ts';
import { changedBudget } from '../../../core/sweep/change-budget.ts';
import { extendSpec, newVariants } from '../../../core/sweep/extend-spec.ts';
import type { SweepExtension } from '../../../core/sweep/extend-spec.ts';
import type { FieldViolation } from '../../../core/sweep/sweep-spec.ts';
import { addedRunViolations, extensionViolations } from '../../../core/validation/validate-extension.ts';
import { validateSweepSpec } from '../../../core/validation/validate-spec.ts';
import { draftExtension, draftSweep } from '../../store/sweeps/draft-sweep.ts';
import type { ExtensionDraft, SweepDraft } from '../../store/sweeps/draft-sweep.ts';
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
  readonly trained: TrainedBefore;
}

/** Inputs of the digests of results besides the spec. */
export interface KnownContent {
  readonly datasetDigest: string;
  readonly weights: readonly WeightsInfo[];
}

/** The runs of a sweep that may take results, by number. */
export interface IdentifiedRuns {
  readonly objective: Objective;
  readonly runs: readonly (ResultDigests & { readonly index: number; readonly startsFromHead: boolean })[];
}

export interface ExtendJob {
  readonly sweepId: string;
  /** Present spec. */
  readonly spec: SweepSpec;
  readonly extension: SweepExtension;
  /** Field of the request that has the bounds. */
  readonly budgetField: 'budget' | 'budget_change';
  /** Digests of the present runs. */
  readonly digests: readonly string[];
  readonly variedNames: readonly string[];
}

/** Jobs that plan and draft sweeps off the event loop. The largest requests that the limits allow take seconds. */
export const PLAN_JOBS = {
  /** Returns the pages of a plan from `from` on. */
  plan: ({ spec, inputs, from, pageSize, trained }: PlanJob): Checked<readonly PlanPage[]> =>
    checked(() => {
      const read = readSpec(spec === null ? undefined : ProtoSweepSpec.decode(spec));
      const plan = previewSweep(read, clusterOf(inputs), inputs.images, trained);
      requireWithin(from, plan);
      return pagesOf(plan, from, pageSize);
    }),

  /** Identifies what the runs of a spec train. Runs whose weights are unknown are left out, and all if the spec is wrong or reuses nothing. */
  identify: ({ spec, known }: { readonly spec: Uint8Array; readonly known: KnownContent }): Checked<IdentifiedRuns> =>
    checked(() => identifyRuns(readSpec(ProtoSweepSpec.decode(spec)), known)),

  /** Returns the rows of a new sweep. @param job.request an encoded CreateSweepRequest */
  draft: ({ request, sweepId }: { readonly request: Uint8Array; readonly sweepId: string }): Checked<SweepDraft> =>
    checked(() => {
      const { requestId, spec } = CreateSweepRequest.decode(request);
      requireShort(requestId);
      return draftSweep(sweepId, requestId, readSpec(spec));
    }),

  /** Returns the rows of an extension. */
  extend: (job: ExtendJob): Checked<ExtensionDraft> =>
    checked(() => {
      const { sweepId, spec, extension, digests, variedNames } = job;
      const extended = extendSpec(spec, extension);
      const bounds = extension.budget && changedBudget(null, extension.budget);
      const found = validateSweepSpec({ ...extended, ...(bounds && { budget: bounds }) });
      const violations = [
        ...extensionViolations(spec, extension),
        ...found.map((violation) => inRequest(violation, job)),
      ];
      if (violations.length > 0) throw new InvalidRequestError(violations);
      const draft = draftExtension(sweepId, extension, { spec, digests, variedNames });
      const unfit = addedRunViolations(spec, extension, digests.length, draft.runCount);
      if (unfit.length > 0) throw new InvalidRequestError(unfit);
      return draft;
    }),
};

function identifyRuns(spec: SweepSpec, { datasetDigest, weights }: KnownContent): IdentifiedRuns {
  const { objective } = spec;
  if (spec.reuse === false) return { objective, runs: [] };
  const digests = new Map(weights.map((info) => [JSON.stringify([info.backbone, info.weights]), info.digest]));
  const sampled = sampleRuns(spec).runs.map(({ index, parameters }) => ({
    index,
    config: compileRunConfig(parameters),
  }));
  const pauses = pausesAtRungs(
    policyOf(
      spec,
      sampled.map(({ index, config }) => ladderRun(index, config)),
    ),
  );
  const runs = sampled.flatMap(({ index, config }) => {
    const weightsDigest = digests.get(JSON.stringify([config.backbone.name, config.backbone.weights]));
    if (weightsDigest === undefined) return [];
    const startsFromHead = config.fineTune !== null && !pauses;
    return [{ index, startsFromHead, ...resultDigestsOf(config, { objective, datasetDigest, weightsDigest }) }];
  });
  return { objective, runs };
}

/** Returns a mistake with the field of the request. */
function inRequest(
  { field, description }: FieldViolation,
  { spec, extension, budgetField }: ExtendJob,
): FieldViolation {
  const added = newVariants(spec, extension);
  const renamed = field
    .replace(/^variants\[(\d+)\]/, (whole, index: string) => {
      const variant = added[Number(index) - spec.variants.length];
      return variant === undefined ? whole : `variants[${variant.index}]`;
    })
    .replace(/^budget\b/, budgetField);
  return { field: renamed, description };
}

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
