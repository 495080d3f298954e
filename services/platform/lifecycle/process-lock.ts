import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createOnce } from '../files/create-once.ts';
import { identifyProcess, isAlive, parseIdentity } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

/**
 * Locks between processes: files that name their holder.
 *
 * States of a lock file:
 * - free: there is no file.
 * - held: the file names a running process. Only that process removes the file.
 * - stale: the file names a process that has ended without releasing it, or has been unreadable for `UNREADABLE_MS`.
 *
 * Transitions:
 * - free → held: the file is created with its content (`createOnce`), and one of two processes wins. On file systems without hard
 *   links, readers may see it empty for a moment. Therefore an unreadable file counts as held while it is young.
 * - held → free: `release`. held → stale: the holder ends in any other way.
 * - stale → held: the file is replaced atomically. Only the holder of a second lock, named after the content of the stale file,
 *   may replace it, after comparing that content again. So of two processes that find the same stale file one wins, and the other
 *   can't remove the lock of the winner. The second lock has the same states.
 *
 * The processes must share a process table: one machine, or one container. A holder of another table counts as ended.
 *
 * `proper-lockfile` (4.1.2) does not replace this: its holder renews a file time by a timer, so a process that is stopped or
 * blocked for ten seconds loses its lock while it runs. `flock`, which the system releases, needs a native package.
 */
export interface ProcessLock {
  /** Frees the lock. Calling it again does no harm. */
  release(): void;
}

export interface LockOptions {
  /** Default: this process. */
  readonly holder?: ProcessIdentity;
  /**
   * Decides whether a lock may be taken from its holder; null: the file names none. Default: when the holder has ended.
   * Where a running holder loses its lock, two may hold it for a moment.
   */
  readonly isStale?: (holder: ProcessIdentity | null) => boolean;
}

/** Thrown when a lock is not free in time. */
export class LockTimeoutError extends Error {
  override readonly name = 'LockTimeoutError';

  constructor(file: string, holder: ProcessIdentity | null, waitMs: number) {
    super(
      `Process ${String(holder?.pid ?? 'unknown')} holds ${file} for over ${String(waitMs / 1_000)} s. ` +
        'End the process, or delete the file if the process is not part of Graft.',
    );
  }
}

const POLL_MS = 50;
/** Age from which an unreadable lock file is not about to be written by its holder. */
const UNREADABLE_MS = 5_000;

/** Takes a lock; null if another process, or another part of this one, holds it. */
export function tryLock(file: string, options: LockOptions = {}): ProcessLock | null {
  const { holder = identifyProcess(process.pid), isStale = hasEnded } = options;
  const own = JSON.stringify({ ...holder, nonce: randomUUID() });
  while (!createOnce(file, own)) {
    const found = readIfThere(file);
    if (found === null) continue;
    const named = parseIdentity(found);
    if (named === null && isYoung(file)) return null;
    if (!isStale(named)) return null;
    const takeover = tryLock(`${file}.${digestOf(found)}.lock`, { holder });
    if (takeover === null) return null;
    // The name ends in .lock as well, so that readers of the folder that skip locks skip it.
    const prepared = `${file}.${randomUUID()}.lock`;
    try {
      if (readIfThere(file) !== found) continue;
      writeFileSync(prepared, own, { flag: 'wx' });
      renameSync(prepared, file);
      break;
    } finally {
      rmSync(prepared, { force: true });
      takeover.release();
    }
  }
  return {
    release: () => {
      // Another's lock after a release, or after `isStale` let it take this one.
      if (readIfThere(file) === own) rmSync(file, { force: true });
    },
  };
}

/**
 * Runs `work` while no other process does so with the same lock.
 *
 * @throws LockTimeoutError when the lock is not free after `waitMs`.
 */
export async function withLock<T>(file: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + waitMs;
  let lock = tryLock(file);
  while (lock === null) {
    if (Date.now() > deadline) throw new LockTimeoutError(file, parseIdentity(readIfThere(file) ?? ''), waitMs);
    await sleep(POLL_MS);
    lock = tryLock(file);
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}

function hasEnded(holder: ProcessIdentity | null): boolean {
  return holder === null || !isAlive(holder);
}

/** Both directions, because the clock of a file server may differ from this machine's. */
function isYoung(file: string): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  return found !== undefined && Math.abs(Date.now() - found.mtimeMs) < UNREADABLE_MS;
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function digestOf(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}
