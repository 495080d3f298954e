import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import { identifyProcess, isAlive } from './process-table.ts';
import type { ProcessIdentity } from './process-table.ts';

const WAIT_MS = 90_000;
const POLL_MS = 50;
const WRITE_MS = 5_000;

/** Runs `work` while no other process does so with the same lock file. The lock of a dead process is taken over. */
export async function withStartLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + WAIT_MS;
  while (!tryLock(file)) {
    const holder = readIdentity(file);
    if (holder === undefined ? isAbandoned(file) : !isAlive(holder)) rmSync(file, { force: true });
    else if (Date.now() > deadline) throw heldTooLong(file, holder);
    else await delay(POLL_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function tryLock(file: string): boolean {
  try {
    writeFileSync(file, JSON.stringify(identifyProcess(process.pid)), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Returns whether a lock without its holder's process ID is too old to be still in the process of being written. */
function isAbandoned(file: string): boolean {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats !== undefined && Date.now() - stats.mtimeMs > WRITE_MS;
}

/** Reads the identity of the process that wrote a file; undefined while the file is missing or incomplete. */
export function readIdentity(file: string): ProcessIdentity | undefined {
  try {
    const { pid, startTime } = JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
    return { pid, startTime };
  } catch {
    return undefined;
  }
}

function heldTooLong(file: string, holder: ProcessIdentity | undefined): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `Process ${String(holder?.pid ?? 'unknown')} has been starting the same database for over ${String(WAIT_MS / 1000)} s.`,
    `End it, or delete ${file} if it is not a Graft process.`,
  );
}
