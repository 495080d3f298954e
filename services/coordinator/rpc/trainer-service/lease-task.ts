import { InvalidRequestError } from '../../../core/errors.ts';
import { checkLeaseRequest } from '../../../core/reports/check-trainer.ts';
import type { LeasedTask } from '../../../core/task.ts';
import { durationFromProto } from '../../../platform/rpc/convert/duration.ts';
import { leasedTaskToProto } from '../../../platform/rpc/convert/task.ts';
import type { CallContext } from '../../../platform/rpc/call-context.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type { LeaseTaskRequest, TrainerServiceService } from '../../../../proto/gen/graft/v1/trainer_service.ts';
import { leaseTask } from '../../store/leases/lease-task.ts';
import { nextPollMs } from '../../store/leases/next-poll.ts';
import { hashOfSecret, leaseSecretOf } from '../../trainer-secrets.ts';
import { requireTrainer } from '../authorisation/trainer-scope.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const MAX_WAIT_MS = 30_000;
/** Bounds the delay after a lost notification. */
const POLL_MS = 10_000;
/** Least wait for a moment of the database's clock, which may be slightly ahead or behind. */
const MIN_WAIT_MS = 20;

/** Returns the handler of LeaseTask, a long poll. */
export function leaseTaskHandler(context: RpcContext): Handlers<typeof TrainerServiceService>['leaseTask'] {
  return async (request, call) => {
    const task = await waitForTask(context, request, call);
    if (task === null) return { task: undefined, leaseSecret: '' };
    const { requestId, trainerSecret } = request;
    return { task: leasedTaskToProto(task), leaseSecret: leaseSecretOf(trainerSecret, { ...task, requestId }) };
  };
}

async function waitForTask(
  { store, signals }: RpcContext,
  request: LeaseTaskRequest,
  call: CallContext,
): Promise<LeasedTask | null> {
  const trainerId = requireId(request.trainerId, 'trainer_id');
  requireTrainer(call, trainerId);
  const { requestId, slotIndex, heldFeatureKeys, trainerSecret } = request;
  const violations = checkLeaseRequest({ requestId, slotIndex, heldFeatureKeys });
  if (violations.length > 0) throw new InvalidRequestError(violations);
  const lease = {
    requestId,
    trainerId,
    trainerSecretHash: hashOfSecret(trainerSecret),
    leaseSecretHash: (taskId: string, leaseEpoch: number): string =>
      hashOfSecret(leaseSecretOf(trainerSecret, { taskId, leaseEpoch, requestId })),
    slotIndex,
    heldFeatureKeys,
  };
  const deadline = performance.now() + readWait(request);
  using subscription = signals.subscribeTasks();
  for (;;) {
    // A disconnected client would hold a task until its lease expires.
    call.signal.throwIfAborted();
    const tryTime = performance.now();
    const task = await leaseTask(store, lease);
    const remaining = deadline - performance.now();
    if (task !== null || remaining <= 0 || call.draining.aborted) return task;
    const next = (await nextPollMs(store, lease.trainerId, lease.slotIndex, performance.now() - tryTime)) ?? POLL_MS;
    const waitMs = Math.min(remaining, POLL_MS, Math.max(MIN_WAIT_MS, next));
    await subscription.wait(waitMs, [call.signal, call.draining]);
  }
}

function readWait(request: LeaseTaskRequest): number {
  const waitMs = durationFromProto(request.waitDuration, 0);
  if (waitMs >= 0 && waitMs <= MAX_WAIT_MS) return waitMs;
  const description = `must be 0 to ${MAX_WAIT_MS / 1000} s; received ${waitMs / 1000} s.`;
  throw new InvalidRequestError([{ field: 'wait_duration', description }]);
}
