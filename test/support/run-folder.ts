import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Minimum age of a folder to remove: processes of other containers are not visible. */
const ABANDONED_AFTER_MS = 3_600_000;

/**
 * Creates a temporary folder for this test run, which the caller must remove. Removes folders that killed runs have left, because no
 * other process does.
 */
export async function makeRunFolder(): Promise<string> {
  await removeAbandoned();
  return mkdtemp(join(tmpdir(), `graft-test-${process.pid}-`));
}

async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(/^graft-test-(\d+)-\w{6}$/.exec(name)?.[1] ?? 0);
    if (pid === 0 || isAlive(pid)) continue;
    const folder = join(tmpdir(), name);
    const info = await stat(folder).catch(() => null);
    if (info === null || Date.now() - info.mtimeMs < ABANDONED_AFTER_MS) continue;
    // A folder of another user is kept.
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: a living process of another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
