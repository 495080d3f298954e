import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Younger ones are left alone: a process of another container can't be seen from here. */
const ABANDONED_AFTER_MS = 3_600_000;

/**
 * A temporary folder for this test run; whoever makes it removes it. Folders that a killed run left behind go now, because
 * nobody else will do it.
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
    // It may be another user's; then it stays.
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process is alive as well.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
