import type { FieldViolation } from '../sweep/sweep-spec.ts';
import type { Stage } from '../task.ts';
import { Mistakes } from './mistakes.ts';
import { SHA256, lineMistake, shown } from './text-rules.ts';

/** A trainer as it describes itself. */
export interface TrainerDescription {
  readonly trainerId: string;
  readonly hostname: string;
  readonly version: string;
  readonly engineVersion: string;
  /** Version of its code that determines numbers (`core/recipe-version.ts`); 0: unknown. */
  readonly recipeVersion: number;
  /** Stages that it executes. */
  readonly stages: readonly Stage[];
  readonly slots: readonly {
    readonly slotIndex: number;
    readonly deviceKind: string;
    readonly deviceName: string;
    /** Memory of the device; 0 where unknown. */
    readonly memoryBytes: number;
    readonly threadCount: number;
  }[];
}

/** A slot's request for work. */
export interface LeaseDescription {
  readonly requestId: string;
  readonly slotIndex: number;
  readonly heldFeatureKeys: readonly string[];
}

const TRAINER_ID = /^[A-Za-z0-9._-]{1,100}$/;
/** 128 random bits as base64url have 22 characters. */
const TRAINER_SECRET = /^[A-Za-z0-9_-]{22,128}$/;
const MAX_HOSTNAME = 255;
const MAX_NAME = 200;
const MAX_SLOTS = 256;
const MAX_THREADS = 65_536;
/** Maximum memory of a device: a pebibyte. */
const MAX_MEMORY_BYTES = 2 ** 50;
const MAX_RECIPE_VERSION = 1_000_000;
const MAX_REQUEST_ID = 200;
const MAX_HELD_KEYS = 4_096;

/** Describes a mistake in a trainer's identity; null: none. */
export function trainerIdMistake(trainerId: string): string | null {
  if (TRAINER_ID.test(trainerId)) return null;
  return `must be 1 to 100 letters, digits, dots, dashes or underscores; received ${shown(trainerId)}.`;
}

/** Returns the mistakes in a registration, with the fields' paths. */
export function checkTrainer(trainer: TrainerDescription): FieldViolation[] {
  const found = new Mistakes();
  found.add('trainer.trainer_id', trainerIdMistake(trainer.trainerId));
  found.add('trainer.hostname', lineMistake(trainer.hostname, MAX_HOSTNAME));
  found.add('trainer.version', lineMistake(trainer.version, MAX_NAME));
  found.add('trainer.engine_version', lineMistake(trainer.engineVersion, MAX_NAME));
  found.count('recipe_version', trainer.recipeVersion, 0, MAX_RECIPE_VERSION);
  const { slots } = trainer;
  if (slots.length === 0) found.add('trainer.slots', 'a trainer needs one slot at least; received none.');
  if (slots.length > MAX_SLOTS) found.add('trainer.slots', `must be at most ${MAX_SLOTS}; received ${slots.length}.`);
  const seen = new Set<number>();
  for (const [position, slot] of slots.slice(0, MAX_SLOTS).entries()) {
    const field = `trainer.slots[${position}]`;
    if (slot.slotIndex < 0 || seen.has(slot.slotIndex)) {
      found.add(`${field}.slot_index`, `must be 0 or above and each only once; received ${slot.slotIndex}.`);
    }
    seen.add(slot.slotIndex);
    if (slot.deviceKind !== 'cpu' && slot.deviceKind !== 'gpu') {
      found.add(`${field}.device_kind`, `must be cpu or gpu; received ${shown(slot.deviceKind)}.`);
    }
    found.add(`${field}.device_name`, lineMistake(slot.deviceName, MAX_NAME));
    found.count(`${field}.memory_bytes`, slot.memoryBytes, 0, MAX_MEMORY_BYTES);
    found.count(`${field}.thread_count`, slot.threadCount, 0, MAX_THREADS);
  }
  return found.list;
}

/**
 * Describes a mistake in the secret that a trainer registers with; null: none.
 *
 * @param isNeeded true: the trainer's version knows secrets.
 */
export function trainerSecretMistake(secret: string, isNeeded: boolean): string | null {
  if (secret === '' && !isNeeded) return null;
  if (TRAINER_SECRET.test(secret)) return null;
  const received = secret === '' ? 'none' : `${secret.length} characters`;
  return (
    `must be 22 to 128 letters, digits, dashes or underscores, made once at random and kept; received ${received}. ` +
    "A trainer of this version does so by itself; one without a secret may only be of an older minor version than the coordinator's."
  );
}

/** Returns the mistakes in a request for work, with the fields' paths. */
export function checkLeaseRequest(request: LeaseDescription): FieldViolation[] {
  const found = new Mistakes();
  const { requestId, heldFeatureKeys: keys } = request;
  found.add('request_id', requestId === '' ? 'is needed, but was not sent.' : lineMistake(requestId, MAX_REQUEST_ID));
  if (request.slotIndex < 0) found.add('slot_index', `must be 0 or above; received ${request.slotIndex}.`);
  if (keys.length > MAX_HELD_KEYS) {
    found.add('held_feature_keys', `must be at most ${MAX_HELD_KEYS}; received ${keys.length}.`);
  }
  const wrong = keys.findIndex((key) => !SHA256.test(key));
  if (wrong !== -1) {
    found.add(`held_feature_keys[${wrong}]`, `must be 64 hexadecimal digits; received ${shown(keys[wrong] ?? '')}.`);
  }
  return found.list;
}
