import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MAX_TRAINERS_PER_FOLDER = 64;
/** Characters of the hostname in an identity, which has at most 100. */
const MAX_HOSTNAME = 80;
const SECRET = /^[A-Za-z0-9_-]{43}$/;

/** An identity that stays over restarts, held by this process until it is given back. */
export interface TrainerIdentity {
  readonly trainerId: string;
  /** Shows the coordinator that it is this trainer: 32 random bytes as base64url. */
  readonly trainerSecret: string;
  readonly release: () => void;
}

/**
 * `<hostname>-<random>`, the random part kept in the state folder. A second trainer on the same folder gets its own: the
 * first identity whose process has ended is taken.
 *
 * @throws Error when the folder can't be written, or 64 trainers hold one.
 */
export function claimTrainerIdentity(stateDir: string, hostname: string, pid: number): TrainerIdentity {
  const directory = join(stateDir, 'trainers');
  mkdirSync(directory, { recursive: true });
  for (let index = 0; index < MAX_TRAINERS_PER_FOLDER; index += 1) {
    const lock = join(directory, `${index}.pid`);
    if (!claim(lock, pid)) continue;
    const random = readOrCreate(join(directory, `${index}.id`), () => randomBytes(4).toString('hex'));
    const trainerId = `${hostname.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, MAX_HOSTNAME)}-${random}`;
    const trainerSecret = trainerSecretOf(stateDir, trainerId);
    return { trainerId, trainerSecret, release: () => rmSync(lock, { force: true }) };
  }
  throw new Error(`${directory}: ${MAX_TRAINERS_PER_FOLDER} trainers already run on it. Give each GRAFT_TRAINER_ID.`);
}

/**
 * The secret of a trainer, made once and kept in the state folder, where only this user may read it: it belongs to the identity,
 * so it must stay as long as that.
 *
 * @throws Error when the folder can't be written, or the file is damaged.
 */
export function trainerSecretOf(stateDir: string, trainerId: string): string {
  const directory = join(stateDir, 'trainers');
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${trainerId}.secret`);
  const secret = readOrCreate(path, () => randomBytes(32).toString('base64url'), 0o600);
  if (SECRET.test(secret)) return secret;
  throw new Error(
    `${path} is damaged: it must hold the 43 characters of this trainer's secret. Restore it, or remove it and run ` +
      `\`graft trainers forget ${trainerId}\` as an administrator.`,
  );
}

function claim(lock: string, pid: number): boolean {
  // Twice, because a lock whose process is dead is removed in between.
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      writeFileSync(lock, String(pid), { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(readFileSync(lock, 'utf8'));
    // In a container the trainer has the same process number after each restart, so its own number is a dead one's.
    if (holder !== pid && isAlive(holder)) return false;
    rmSync(lock, { force: true });
  }
  return false;
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The file is there as a whole or not at all, also for another process that starts at the same moment. */
function readOrCreate(path: string, create: () => string, mode = 0o644): string {
  const known = readIfThere(path);
  if (known !== null) return known;
  const temporary = `${path}.${randomBytes(4).toString('hex')}`;
  writeFileSync(temporary, create(), { flag: 'wx', mode, flush: true });
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
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
