import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { PlanSweepResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { sha256Hex } from '../../../core/digest.ts';
import type { TrainedBefore } from '../../../core/planner/preview-sweep.ts';
import type { JobOptions } from '../../../platform/lifecycle/worker-pool.ts';
import { EncodedMessage } from '../../../platform/rpc/encoded-message.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { findTrained, previewInputsOf, readKnownContent } from '../../store/sweeps/preview.ts';
import { jobOptions } from '../authorisation/caller.ts';
import { INDEX_KEY, pageToken, readPage } from '../page.ts';
import { valueOf } from '../planning/checked.ts';
import { PLAN_INPUTS, planInputsOf } from '../planning/plan-inputs.ts';
import type { PlanPage } from '../planning/plan-pages.ts';
import type { PlanJob } from '../planning/plan-worker.ts';
import type { PlanRequest } from '../planning/read-plan-request.ts';
import { readPlanRequest } from '../planning/read-plan-request.ts';
import type { RpcContext } from '../rpc-context.ts';
import type { SWEEP_SERVICE } from './definition.ts';

const PLAN_PAGE = {
  defaultSize: 1_000,
  maxSize: 1_000,
  key: z.object({ run: INDEX_KEY, task: INDEX_KEY, inputs: PLAN_INPUTS }),
};

/** Bounds the pages of all plans together that are kept for clients that read one page after the other. */
const MAX_CACHED_BYTES = 48 * 1024 * 1024;
const CACHED_MS = 120_000;

/** Returns the handler of PlanSweep. Its request is received encoded; the threads of `plans` decode and plan it. */
export function planSweepHandler({ store, plans }: RpcContext): Handlers<typeof SWEEP_SERVICE>['planSweep'] {
  const cache = new LRUCache<string, PlanPage>({
    maxSize: MAX_CACHED_BYTES,
    sizeCalculation: ({ bytes }) => bytes.length,
    ttl: CACHED_MS,
    ttlAutopurge: true,
  });

  async function pageOf(request: PlanRequest, job: UntrainedJob, options: JobOptions): Promise<PlanPage> {
    const { specDigest } = request;
    const key = cacheKey(job, specDigest);
    const known = cache.get(key);
    // A client reads each page once.
    cache.delete(key);
    if (known !== undefined) return known;
    const trained = await trainedBefore(request, options);
    const [first, ...others] = valueOf(await plans.run('plan', { ...job, trained }, options));
    if (first === undefined) throw new Error('A plan has at least one page.');
    for (const page of others) cache.set(cacheKey({ ...job, from: page.from }, specDigest), page);
    return first;
  }

  /** Returns what other sweeps have trained of the spec, by what the record knows of its images and weights. */
  async function trainedBefore({ spec, dataset }: PlanRequest, options: JobOptions): Promise<TrainedBefore> {
    const known = dataset && (await readKnownContent(store, dataset));
    if (known === null || spec === null) return { results: new Map(), heads: new Map() };
    const { objective, runs } = valueOf(await plans.run('identify', { spec, known }, options));
    return findTrained(store, objective, runs);
  }

  async function inputsOf({ dataset, counted }: PlanRequest): Promise<PlanJob['inputs']> {
    const { cluster, images } = await previewInputsOf(store, dataset);
    return planInputsOf(cluster, images ?? counted);
  }

  return async (bytes, call) => {
    const request = readPlanRequest(bytes);
    const { spec, specDigest } = request;
    const scope = `plan/${specDigest}`;
    const { limit: pageSize, after } = readPage(request, { ...PLAN_PAGE, scope });
    const inputs = after?.inputs ?? (await inputsOf(request));
    const from = { run: after?.run ?? 0, task: after?.task ?? 0 };
    const page = await pageOf(request, { spec, inputs, from, pageSize }, jobOptions(call));
    const nextPageToken = pageToken(scope, page.next && { ...page.next, inputs });
    const end = PlanSweepResponse.encode(PlanSweepResponse.fromPartial({ nextPageToken })).finish();
    return new EncodedMessage(Buffer.concat([page.bytes, end]));
  };
}

type UntrainedJob = Omit<PlanJob, 'trained'>;

function cacheKey({ inputs, from, pageSize }: UntrainedJob, specDigest: string): string {
  return sha256Hex(JSON.stringify([specDigest, inputs, from, pageSize]));
}
