import { InvalidRequestError } from '../../../core/errors.ts';
import { ReportRefusedError } from '../../../core/trainer-errors.ts';
import type { CallContext } from '../../../platform/rpc/call-context.ts';
import type { LeaseClaim } from '../../store/tasks/fence.ts';
import type { Store } from '../../store/store.ts';
import { recordRefusal } from '../../store/trainers/record-refusal.ts';
import { hashOfSecret } from '../../trainer-secrets.ts';
import { requireTrainer } from '../authorisation/trainer-scope.ts';
import { requireId } from '../require-id.ts';

/** The fields that every write of a trainer carries. */
interface LeasedWrite {
  readonly taskId: string;
  readonly leaseEpoch: number;
  readonly trainerId: string;
  readonly leaseSecret: string;
}

/**
 * Returns the lease that a write claims to hold.
 *
 * @param prefix of the field names in errors, for example `part.`
 * @throws InvalidRequestError when a field is missing; PermissionDeniedError for a token of other trainers.
 */
export function readClaim(request: LeasedWrite, call: CallContext, prefix = ''): LeaseClaim {
  const { leaseEpoch, trainerId, leaseSecret } = request;
  // A trainer older than lease secrets sends no trainer_id either.
  if (trainerId !== '' || leaseSecret !== '') requireId(trainerId, `${prefix}trainer_id`);
  requireTrainer(call, trainerId);
  const taskId = requireId(request.taskId, `${prefix}task_id`);
  return { taskId, leaseEpoch, trainerId, secretHash: hashOfSecret(leaseSecret) };
}

/**
 * Runs `work`, which checks and stores a report. A mistake in the report is REPORT_REFUSED and counts against the trainer if it
 * holds the lease.
 *
 * @throws ReportRefusedError instead of InvalidRequestError
 */
export async function asReport<T>(store: Store, claim: LeaseClaim, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    const [first] = error.violations;
    await recordRefusal(store, claim, `${first?.field ?? ''} ${first?.description ?? ''}`.trim().slice(0, 500));
    throw new ReportRefusedError(error.violations);
  }
}
