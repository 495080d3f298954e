import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MAX_TRAINERS_PER_FOLDER = 64;

/** An identity that stays over restarts, held by this process until it is given back. */
export interface TrainerIdentity {
  readonly trainerId: string;
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
    return { trainerId: `${hostname}-${random}`, release: () => rmSync(lock, { force: true }) };
  }
  throw new Error(`${directory}: ${MAX_TRAINERS_PER_FOLDER} trainers already run on it. Give each GRAFT_TRAINER_ID.`);
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

function readOrCreate(path: string, create: () => string): string {
  try {
    writeFileSync(path, create(), { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFileSync(path, 'utf8').trim();
}
