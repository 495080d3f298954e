import { RateLimitedError } from '../../../core/errors.ts';
import type { SweepExtension } from '../../../core/sweep/extend-spec.ts';
import { Violations } from '../../../platform/rpc/convert/fields.ts';
import { readParameters } from '../../../platform/rpc/convert/parameter.ts';
import { budgetChangeFromProto, budgetFromProto } from '../../../platform/rpc/convert/search.ts';
import { sweepToProto } from '../../../platform/rpc/convert/sweep.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type { ExtendSweepRequest, SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { extendSweep, readExtensionBasis } from '../../store/steer/extend-sweep.ts';
import { findSweep } from '../../store/sweeps/find-sweep.ts';
import { callerNameOf, jobOptions } from '../authorisation/caller.ts';
import { valueOf } from '../planning/checked.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';
import { reasonOf, requireReason } from './steer-sweep.ts';

/** Drafts of one call. Another one is made when another extension of the sweep came first. */
const MAX_DRAFTS = 5;

/** Returns the handler of ExtendSweep, which answers with the extended sweep. */
export function extendSweepHandler({ store, plans }: RpcContext): Handlers<typeof SweepServiceService>['extendSweep'] {
  return async (request, call) => {
    const sweepId = requireId(request.sweepId, 'sweep_id');
    const extension = readExtension(request);
    const budgetField = request.budgetChange === undefined ? ('budget' as const) : ('budget_change' as const);
    const why = reasonOf('extended', callerNameOf(call), requireReason(request.reason));
    for (let attempt = 0; attempt < MAX_DRAFTS; attempt += 1) {
      const basis = await readExtensionBasis(store, sweepId);
      const job = { sweepId, extension, budgetField, ...basis };
      const draft = valueOf(await plans.run('extend', job, jobOptions(call)));
      const drafted = { extension, draft, basisRunCount: basis.digests.length, why };
      if (await extendSweep(store, sweepId, drafted)) return { sweep: sweepToProto(await findSweep(store, sweepId)) };
    }
    throw new RateLimitedError(`Sweep ${sweepId} is extended by other calls at the same time.`, 1_000);
  };
}

/** @throws InvalidRequestError with all mistakes of form */
function readExtension(request: ExtendSweepRequest): SweepExtension {
  const { maxRuns, variants, epochs, fineTuneEpochs, budget, budgetChange } = request;
  const violations = new Violations();
  const read = variants.map(({ parameters }, index) =>
    readParameters(parameters, `variants[${index}].parameters`, violations),
  );
  const change = budgetChange === undefined ? null : budgetChangeFromProto(budgetChange, violations);
  if (change !== null && budget !== undefined) {
    violations.add('budget_change', 'excludes budget, which replaces all bounds. Leave one of them out.');
  }
  violations.throwIfAny();
  return {
    maxRuns: maxRuns || null,
    variants: read,
    epochs: epochs || null,
    fineTuneEpochs: fineTuneEpochs || null,
    budget: budget === undefined ? change : budgetFromProto(budget),
  };
}
