import { fork, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs, { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identifyProcess, isAlive } from '../../../services/platform/lifecycle/process-identity.ts';
import { LockTimeoutError, tryLock, withLock } from '../../../services/platform/lifecycle/process-lock.ts';
import type { Command } from './process-lock-child.ts';

let folder: string;
let file: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-lock-'));
  file = join(folder, 'a.lock');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<ChildProcess> {
  const child = fork(new URL('./process-lock-child.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });
  children.push(child);
  await once(child, 'message');
  return child;
}

function start4(): Promise<ChildProcess[]> {
  return Promise.all([start(), start(), start(), start()]);
}

async function take(child: ChildProcess, files: readonly string[]): Promise<readonly string[]> {
  const answer = once(child, 'message');
  child.send({ kind: 'take', files } satisfies Command);
  const [taken] = (await answer) as [readonly string[]];
  return taken;
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Sets the time of the last write back by a minute. */
function age(path: string): void {
  const past = new Date(Date.now() - 60_000);
  utimesSync(path, past, past);
}

describe('a process lock', () => {
  it('has one holder, in one process as well, until it is released', () => {
    const lock = tryLock(file);
    expect(tryLock(file)).toBeNull();
    lock?.release();
    const next = tryLock(file);
    expect(next).not.toBeNull();
    lock?.release();
    expect(tryLock(file)).toBeNull();
    next?.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is held by a process that is stopped, and taken from one that was killed', async () => {
    const child = await start();
    expect(await take(child, [file])).toEqual([file]);
    child.kill('SIGSTOP');
    expect(tryLock(file)).toBeNull();
    await kill(child);
    expect(tryLock(file)).not.toBeNull();
    expect(readdirSync(folder)).toEqual(['a.lock']);
  });

  it('is not held by a process that has the number of the former holder', async () => {
    const child = await start();
    const identity = identifyProcess(child.pid!);
    writeFileSync(file, JSON.stringify(identity));
    expect(tryLock(file)).toBeNull();
    writeFileSync(file, JSON.stringify({ ...identity, startTime: '1' }));
    expect(tryLock(file)).not.toBeNull();
    writeFileSync(file, JSON.stringify({ ...identity, processTable: 'before the last boot' }));
    expect(tryLock(file)).not.toBeNull();
  });

  it('is not held by a zombie', async () => {
    // The shell's place is taken by a program that waits for no child.
    const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(parent);
    const [pid] = (await once(parent.stdout, 'data')) as [Buffer];
    const zombie = identifyProcess(Number(pid));
    expect(isAlive(zombie)).toBe(true);
    await expect.poll(() => isAlive(zombie), { timeout: 20_000 }).toBe(false);
    expect(identifyProcess(zombie.pid)).toEqual(zombie);
  });

  it.each([
    ['empty', ''],
    ['cut short', '{"pid":12'],
    ['of an earlier version on another host', 'elsewhere~12~'],
  ])('is taken when the file has been %s for a while, not at once', (_what, content) => {
    writeFileSync(file, content);
    expect(tryLock(file)).toBeNull();
    age(file);
    expect(tryLock(file)).not.toBeNull();
  });

  it('is held by a running process of an earlier version, which wrote its ID only', async () => {
    const child = await start();
    writeFileSync(file, String(child.pid));
    age(file);
    expect(tryLock(file)).toBeNull();
    await kill(child);
    expect(tryLock(file)).not.toBeNull();
  });

  it('is taken from a predecessor of an earlier version that had the ID of this process', () => {
    writeFileSync(file, String(process.pid));
    expect(tryLock(file)).not.toBeNull();
  });

  it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])('works where hard links fail with %s', (code) => {
    const { linkSync } = fs;
    fs.linkSync = () => {
      throw Object.assign(new Error(code), { code });
    };
    syncBuiltinESMExports();
    try {
      const lock = tryLock(file);
      expect(lock).not.toBeNull();
      expect(tryLock(file)).toBeNull();
      lock?.release();
      expect(readdirSync(folder)).toEqual([]);
      writeFileSync(file, JSON.stringify({ ...identifyProcess(process.pid), startTime: '1' }));
      expect(tryLock(file)).not.toBeNull();
      expect(tryLock(file)).toBeNull();
    } finally {
      fs.linkSync = linkSync;
      syncBuiltinESMExports();
    }
  });

  it('is taken by one of the processes that find it stale at once', { timeout: 60_000 }, async () => {
    const files = Array.from({ length: 300 }, (_, index) => join(folder, `${String(index)}.lock`));
    for (const one of files) {
      writeFileSync(one, '');
      age(one);
    }
    const processes = await start4();
    const taken = await Promise.all(processes.map((child) => take(child, files)));
    expect(taken.flat().toSorted()).toEqual(files.toSorted());
    expect(taken.filter((own) => own.length > 0).length).toBeGreaterThan(1);
    expect(readdirSync(folder)).toHaveLength(files.length);
  });

  it('is taken after a process was killed that was taking it', async () => {
    const child = await start();
    await take(child, [file]);
    await kill(child);
    // As the takeover of that lock leaves it when its process is killed in turn.
    const takeover = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', interruptedTakeover()]);
    await once(takeover, 'exit');
    // The lock, that of the takeover, and the file that was to replace the first one.
    expect(readdirSync(folder)).toHaveLength(3);
    expect(tryLock(file)).not.toBeNull();
  });

  function interruptedTakeover(): string {
    const module = new URL('../../../services/platform/lifecycle/process-lock.ts', import.meta.url).href;
    return `
      import fs from 'node:fs';
      import { syncBuiltinESMExports } from 'node:module';
      fs.renameSync = () => process.kill(process.pid, 'SIGKILL');
      syncBuiltinESMExports();
      const { tryLock } = await import(${JSON.stringify(module)});
      tryLock(${JSON.stringify(file)});`;
  }

  it('lets one process in at a time, while others are killed inside', { timeout: 90_000 }, async () => {
    const violations = join(folder, 'violations');
    const enter = (diesInside: boolean): Command => ({
      kind: 'enter',
      file,
      inside: join(folder, 'inside'),
      violations,
      times: diesInside ? 7 : 60,
      diesInside,
    });
    const processes = [...(await start4()), await start(), await start()];
    const exits = processes.map((child) => once(child, 'exit'));
    for (const [index, child] of processes.entries()) child.send(enter(index > 2));
    const outcomes = (await Promise.all(exits)).map(([code, signal]) => (code ?? signal) as unknown);
    expect(outcomes).toEqual([0, 0, 0, 'SIGKILL', 'SIGKILL', 'SIGKILL']);
    expect(existsSync(violations) ? readFileSync(violations, 'utf8') : '').toBe('');
  });

  it('waits for the holder, and names it when it takes too long', async () => {
    const lock = tryLock(file);
    const waiting = withLock(file, 0, () => Promise.resolve('in'));
    await expect(waiting).rejects.toThrow(LockTimeoutError);
    await expect(waiting).rejects.toThrow(`Process ${String(process.pid)} holds ${file} for over 0 s.`);
    const patient = withLock(file, 20_000, () => Promise.resolve('in'));
    await sleep(10);
    lock?.release();
    expect(await patient).toBe('in');
    expect(existsSync(file)).toBe(false);
  });

  it('stays with the process that took it from a running one', () => {
    const lost = tryLock(file);
    const taken = tryLock(file, { isStale: () => true });
    expect(taken).not.toBeNull();
    lost?.release();
    expect(tryLock(file)).toBeNull();
  });
});
