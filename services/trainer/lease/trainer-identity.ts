import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createOnce } from '../../platform/files/create-once.ts';
import { identifyProcess, isAlive, parseIdentity } from '../../platform/lifecycle/process-identity.ts';
import { tryLock } from '../../platform/lifecycle/process-lock.ts';

const MAX_TRAINERS_PER_FOLDER = 64;
/** Maximum number of hostname characters in a trainer ID, which has at most 100. */
const MAX_HOSTNAME = 80;
const SECRET = /^[A-Za-z0-9_-]{43}$/;

/** An identity that is stable over restarts, held by this process until `release`. */
export interface TrainerIdentity {
  readonly trainerId: string;
  /** Proves the identity to the coordinator: 32 random bytes as base64url. */
  readonly trainerSecret: string;
  readonly release: () => void;
}

/**
 * Claims an identity `<hostname>-<random>`, whose random part is kept in the state folder. Each trainer on the folder has its own:
 * the first identity that no living process holds is claimed.
 *
 * @throws {Error} when the folder is not writable, or 64 trainers hold an identity.
 */
export function claimTrainerIdentity(stateDir: string, hostname: string, pid: number): TrainerIdentity {
  const directory = join(stateDir, 'trainers');
  mkdirSync(directory, { recursive: true });
  for (let index = 0; index < MAX_TRAINERS_PER_FOLDER; index += 1) {
    const earlierHolder = join(directory, `${index}.pid`);
    // A trainer of an earlier version, which stored only its process ID.
    const earlier = parseIdentity(readIfThere(earlierHolder) ?? '');
    if (earlier !== null && isAlive(earlier)) continue;
    // In a container, a restarted trainer has the process ID of its predecessor, with another start time.
    const lock = tryLock(join(directory, `${index}.lock`), { holder: identifyProcess(pid) });
    if (lock === null) continue;
    rmSync(earlierHolder, { force: true });
    const random = readOrCreate(join(directory, `${index}.id`), () => randomBytes(4).toString('hex'));
    const trainerId = `${hostname.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, MAX_HOSTNAME)}-${random}`;
    const trainerSecret = trainerSecretOf(stateDir, trainerId);
    return { trainerId, trainerSecret, release: () => lock.release() };
  }
  throw new Error(
    `${directory}: ${MAX_TRAINERS_PER_FOLDER} trainers already run on this folder. Set GRAFT_TRAINER_ID for each.`,
  );
}

/**
 * Returns the secret of a trainer. It is created once and kept in the state folder, readable by this user only. It belongs to the
 * identity and must be kept for as long.
 *
 * @throws {Error} when the folder is not writable, or the file is damaged.
 */
export function trainerSecretOf(stateDir: string, trainerId: string): string {
  const directory = join(stateDir, 'trainers');
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${trainerId}.secret`);
  const secret = readOrCreate(path, () => randomBytes(32).toString('base64url'), 0o600);
  if (SECRET.test(secret)) return secret;
  throw new Error(
    `${path} is damaged: it must contain the 43 characters of this trainer's secret. Restore it, or remove it and run ` +
      `\`graft trainers forget ${trainerId}\` as an administrator.`,
  );
}

/** Reads or creates a file atomically: a process that starts at the same moment sees all of it or nothing. */
function readOrCreate(path: string, create: () => string, mode = 0o644): string {
  const known = readIfThere(path);
  if (known !== null) return known;
  createOnce(path, create(), mode);
  return readFileSync(path, 'utf8').trim();
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
