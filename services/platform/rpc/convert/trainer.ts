import type { TrainerRecord } from '../../../core/records/trainer.ts';
import type { Trainer } from '../../../../proto/gen/graft/v1/trainer.ts';
import { numberOf, requireMessage, textOrNull } from './fields.ts';
import { stages } from './run.ts';

/** Converts a trainer to its message. */
export function trainerToProto(trainer: TrainerRecord): Trainer {
  return {
    ...trainer,
    slots: trainer.slots.map((slot) => ({
      ...slot,
      memoryBytes: BigInt(slot.memoryBytes),
      taskId: slot.taskId ?? '',
      stage: stages.toProto(slot.stage),
      benchReason: slot.benchReason ?? '',
    })),
    drainReason: trainer.drainReason ?? '',
  };
}

/**
 * Converts a trainer's message. A state of a newer coordinator is kept as it was sent.
 *
 * @throws InvalidRequestError naming the field that is absent or not exact.
 */
export function trainerFromProto(message: Trainer): TrainerRecord {
  return {
    ...message,
    state: message.state as TrainerRecord['state'],
    slots: message.slots.map((slot) => ({
      ...slot,
      memoryBytes: numberOf(slot.memoryBytes, 'slots.memory_bytes'),
      taskId: textOrNull(slot.taskId),
      stage: stages.tryFromProto(slot.stage),
      benchReason: textOrNull(slot.benchReason),
    })),
    heartbeatTime: requireMessage(message.heartbeatTime, 'heartbeat_time'),
    drainReason: textOrNull(message.drainReason),
  };
}
