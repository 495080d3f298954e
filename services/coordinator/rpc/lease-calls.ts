import { InvalidRequestError, VersionSkewError } from '../../core/errors.ts';
import type { FieldViolation } from '../../core/sweep/sweep-spec.ts';
import type { LeasedTask } from '../../core/task.ts';
import { whyBenched } from '../../core/store-owner.ts';
import { areCompatible } from '../../core/version-skew.ts';
import { durationFromProto, durationToProto } from '../../platform/rpc/convert/duration.ts';
import { numberOf, requireMessage } from '../../platform/rpc/convert/fields.ts';
import { leasedTaskToProto } from '../../platform/rpc/convert/task.ts';
import type { CallContext, Handlers } from '../../platform/rpc/server.ts';
import type { Trainer } from '../../../proto/gen/graft/v1/trainer.ts';
import type { LeaseTaskRequest, TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { leaseTask } from '../store/tasks/lease-task.ts';
import { nextLookMs } from '../store/tasks/next-look.ts';
import { registerTrainer } from '../store/trainers/register-trainer.ts';
import type { NewTrainer } from '../store/trainers/register-trainer.ts';
import { requireId } from './require-id.ts';
import type { RpcContext } from './rpc-context.ts';

const MAX_WAIT_MS = 30_000;
/** Finds what a lost notification would have told. */
const POLL_MS = 10_000;
/** A bound for waits that end by the database's clock, which may be a little ahead or behind. */
const MIN_WAIT_MS = 20;

/** RegisterTrainer and LeaseTask. */
export function leaseCalls(
  context: RpcContext,
): Pick<Handlers<typeof TrainerServiceService>, 'registerTrainer' | 'leaseTask'> {
  return {
    registerTrainer: async (request) => {
      const described = readTrainer(requireMessage(request.trainer, 'trainer'));
      const benchReason = whyBenched(request.store ?? null, context.clusterId, described.hostname);
      const trainer = { ...described, benchReason };
      if (!areCompatible(trainer.version, context.version)) {
        context.log.warn(
          { trainer_id: trainer.trainerId, trainer_version: trainer.version },
          'trainer refused: its version',
        );
        throw new VersionSkewError(trainer.version, context.version);
      }
      await registerTrainer(context.store, trainer);
      const fields = { trainer_id: trainer.trainerId, slots: trainer.slots.length };
      if (benchReason === null) context.log.info(fields, 'trainer registered');
      else context.log.warn({ ...fields, reason: benchReason }, 'trainer registered and benched');
      return {
        heartbeatInterval: durationToProto(context.timing.heartbeatMs),
        leaseDuration: durationToProto(context.timing.leaseMs),
        clusterId: context.clusterId,
        benchReason: benchReason ?? '',
      };
    },
    leaseTask: async (request, call) => {
      const task = await waitForTask(context, request, call);
      return { task: task === null ? undefined : leasedTaskToProto(task) };
    },
  };
}

async function waitForTask(
  { store, signals }: RpcContext,
  request: LeaseTaskRequest,
  call: CallContext,
): Promise<LeasedTask | null> {
  const lease = {
    requestId: requireId(request.requestId, 'request_id'),
    trainerId: requireId(request.trainerId, 'trainer_id'),
    slotIndex: request.slotIndex,
    heldFeatureKeys: request.heldFeatureKeys,
  };
  const deadline = performance.now() + readWait(request);
  using subscription = signals.subscribeTasks();
  for (;;) {
    // A client that has gone would leave a task lying until its lease expires.
    call.signal.throwIfAborted();
    const task = await leaseTask(store, lease);
    const remaining = deadline - performance.now();
    if (task !== null || remaining <= 0 || call.draining.aborted) return task;
    const next = (await nextLookMs(store, lease.trainerId, lease.slotIndex)) ?? POLL_MS;
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

function readTrainer(trainer: Trainer): Omit<NewTrainer, 'benchReason'> {
  const violations: FieldViolation[] = [];
  const seen = new Set<number>();
  for (const [position, slot] of trainer.slots.entries()) {
    const field = `trainer.slots[${position}]`;
    if (slot.slotIndex < 0 || seen.has(slot.slotIndex)) {
      const description = `must be 0 or above and each only once; received ${slot.slotIndex}.`;
      violations.push({ field: `${field}.slot_index`, description });
    }
    seen.add(slot.slotIndex);
    if (slot.deviceKind !== 'cpu' && slot.deviceKind !== 'gpu') {
      violations.push({
        field: `${field}.device_kind`,
        description: `must be cpu or gpu; received '${slot.deviceKind}'.`,
      });
    }
  }
  if (trainer.slots.length === 0) {
    violations.push({ field: 'trainer.slots', description: 'a trainer needs one slot at least; received none.' });
  }
  if (violations.length > 0) throw new InvalidRequestError(violations);
  return {
    trainerId: requireId(trainer.trainerId, 'trainer.trainer_id'),
    hostname: trainer.hostname,
    version: trainer.version,
    engineVersion: trainer.engineVersion,
    slots: trainer.slots.map((slot, position) => ({
      slotIndex: slot.slotIndex,
      deviceKind: slot.deviceKind,
      deviceName: slot.deviceName,
      memoryBytes: numberOf(slot.memoryBytes, `trainer.slots[${position}].memory_bytes`),
      threadCount: slot.threadCount,
    })),
  };
}
