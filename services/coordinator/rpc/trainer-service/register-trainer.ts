import { InvalidRequestError, VersionSkewError } from '../../../core/errors.ts';
import { checkTrainer, trainerSecretMistake } from '../../../core/reports/check-trainer.ts';
import { whyBenched } from '../../../core/store-owner.ts';
import { areCompatible, executedStages, isOlderMinor } from '../../../core/version-skew.ts';
import { durationToProto } from '../../../platform/rpc/convert/duration.ts';
import { numberOf, requireMessage } from '../../../platform/rpc/convert/fields.ts';
import { stages } from '../../../platform/rpc/convert/run.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type { Trainer } from '../../../../proto/gen/graft/v1/trainer.ts';
import type { RegisterTrainerRequest, TrainerServiceService } from '../../../../proto/gen/graft/v1/trainer_service.ts';
import { registerTrainer } from '../../store/trainers/register-trainer.ts';
import type { NewTrainer } from '../../store/trainers/register-trainer.ts';
import { hashOfSecret } from '../../trainer-secrets.ts';
import { requireTrainer } from '../authorisation/trainer-scope.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

/** Returns the handler of RegisterTrainer. */
export function registerTrainerHandler(context: RpcContext): Handlers<typeof TrainerServiceService>['registerTrainer'] {
  return async (request, call) => {
    requireTrainer(call, request.trainer?.trainerId ?? '');
    refuseOtherVersions(context, requireMessage(request.trainer, 'trainer'));
    const described = readTrainer(request, context.version);
    const benchReason = whyBenched(request.store ?? null, context.clusterId, described.hostname);
    const trainer = { ...described, benchReason };
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
  };
}

function refuseOtherVersions({ log, version }: RpcContext, trainer: Trainer): void {
  if (areCompatible(trainer.version, version)) return;
  log.warn(
    { trainer_id: trainer.trainerId, trainer_version: trainer.version },
    'trainer refused: incompatible version',
  );
  throw new VersionSkewError(trainer.version, version);
}

function readTrainer(
  { trainer: message, trainerSecret, recipeVersion, stages: sent }: RegisterTrainerRequest,
  version: string,
): Omit<NewTrainer, 'benchReason'> {
  const trainer = requireMessage(message, 'trainer');
  requireId(trainer.trainerId, 'trainer.trainer_id');
  const description = {
    trainerId: trainer.trainerId,
    hostname: trainer.hostname,
    version: trainer.version,
    engineVersion: trainer.engineVersion,
    recipeVersion,
    stages: executedStages(sent.flatMap((stage) => stages.tryFromProto(stage) ?? [])),
    slots: trainer.slots.map((slot, position) => ({
      slotIndex: slot.slotIndex,
      deviceKind: slot.deviceKind,
      deviceName: slot.deviceName,
      memoryBytes: numberOf(slot.memoryBytes, `trainer.slots[${position}].memory_bytes`),
      threadCount: slot.threadCount,
    })),
  };
  const violations = checkTrainer(description);
  // Later versions have further stages, with higher numbers.
  for (const [position, stage] of sent.entries()) {
    if (stage > 0) continue;
    violations.push({ field: `stages[${position}]`, description: `must be the number of a stage; received ${stage}.` });
  }
  const secretMistake = trainerSecretMistake(trainerSecret, !isOlderMinor(trainer.version, version));
  if (secretMistake !== null) violations.push({ field: 'trainer_secret', description: secretMistake });
  if (violations.length > 0) throw new InvalidRequestError(violations);
  return { ...description, secretHash: hashOfSecret(trainerSecret) };
}
