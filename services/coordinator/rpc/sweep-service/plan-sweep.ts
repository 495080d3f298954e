import { z } from 'zod';
import { PlanSweepResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { sha256Hex } from '../../../core/digest.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import type { JobOptions } from '../../../platform/lifecycle/worker-pool.ts';
import { EncodedMessage } from '../../../platform/rpc/encoded-message.ts';
import type { CallContext, Handlers } from '../../../platform/rpc/server.ts';
import { tracer } from '../../../platform/telemetry/tracer.ts';
import { newSweepId } from '../../new-id.ts';
import { createSweep } from '../../store/sweeps/create-sweep.ts';
import { previewInputsOf } from '../../store/sweeps/preview.ts';
import { callerOf } from '../authorisation/caller.ts';
import { sweepToProto } from '../convert-sweep.ts';
import { INDEX_KEY, pageToken, readPage } from '../page.ts';
import { PageCache } from '../planning/page-cache.ts';
import { PLAN_INPUTS, planInputsOf } from '../planning/plan-inputs.ts';
import type { PlanPage } from '../planning/plan-pages.ts';
import type { Checked, PlanJob } from '../planning/plan-worker.ts';
import { readPlanRequest } from '../planning/read-plan-request.ts';
import type { RpcContext } from '../rpc-context.ts';
import type { SWEEP_SERVICE } from './definition.ts';

const PLAN_PAGE = {
  defaultSize: 1_000,
  maxSize: 1_000,
  key: z.object({ run: INDEX_KEY, task: INDEX_KEY, inputs: PLAN_INPUTS }),
};

/** PlanSweep and CreateSweep. Their requests come encoded, and the threads of `plans` do the arithmetic. */
export function createCalls(context: RpcContext): Pick<Handlers<typeof SWEEP_SERVICE>, 'planSweep' | 'createSweep'> {
  const { store, plans, submissions } = context;
  const cache = new PageCache<PlanPage>();

  async function pageOf(job: PlanJob, specDigest: string, options: JobOptions): Promise<PlanPage> {
    const known = cache.take(cacheKey(job, specDigest));
    if (known !== null) return known;
    const [first, ...others] = valueOf(await plans.run('plan', job, options));
    if (first === undefined) throw new Error('A plan has a page at least.');
    for (const page of others) cache.add(cacheKey({ ...job, from: page.from }, specDigest), page, page.bytes.length);
    return first;
  }

  return {
    planSweep: async (bytes, call) => {
      const { spec, specDigest, dataset, ...request } = readPlanRequest(bytes);
      const scope = `plan/${specDigest}`;
      const { limit: pageSize, after } = readPage(request, { ...PLAN_PAGE, scope });
      const inputs = after?.inputs ?? (await inputsOf(dataset));
      const from = { run: after?.run ?? 0, task: after?.task ?? 0 };
      const page = await pageOf({ spec, inputs, from, pageSize }, specDigest, jobOptions(call));
      const nextPageToken = pageToken(scope, page.next && { ...page.next, inputs });
      const end = PlanSweepResponse.encode(PlanSweepResponse.fromPartial({ nextPageToken })).finish();
      return new EncodedMessage(Buffer.concat([page.bytes, end]));
    },
    createSweep: async (bytes, call) => {
      const sweepId = newSweepId();
      const draft = valueOf(await plans.run('draft', { request: bytes, sweepId }, jobOptions(call)));
      const span = tracer().active;
      const created = await submissions.run(call.signal, () => createSweep(store, draft, span?.traceparent));
      span?.set({ 'graft.sweep_id': created.sweep.sweepId, 'graft.run_count': created.sweep.runCount });
      const { sweep, duplicateCount, missingCount, notes } = created;
      return { sweep: sweepToProto(sweep), duplicateCount, missingRunCount: missingCount, notes: [...notes] };
    },
  };

  async function inputsOf(dataset: Parameters<typeof previewInputsOf>[1]): Promise<PlanJob['inputs']> {
    const { cluster, images } = await previewInputsOf(store, dataset);
    return planInputsOf(cluster, images);
  }
}

function jobOptions(call: CallContext): JobOptions {
  return { caller: callerOf(call), signal: call.signal };
}

/** @throws InvalidRequestError */
function valueOf<T>(result: Checked<T>): T {
  if ('value' in result) return result.value;
  throw new InvalidRequestError(result.violations, result.count);
}

function cacheKey({ inputs, from, pageSize }: PlanJob, specDigest: string): string {
  return sha256Hex(JSON.stringify([specDigest, inputs, from, pageSize]));
}
