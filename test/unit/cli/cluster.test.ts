import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ClusterLock,
  ClusterRunningError,
  findLiveCluster,
  readClusterRecord,
} from '../../../services/cli/cluster/cluster-lock.ts';
import { announceCluster } from '../../../services/cli/actions/run-cluster.ts';
import { freePort } from '../../../services/platform/net/free-port.ts';
import { LogTail } from '../../../services/cli/cluster/log-tail.ts';
import { nodeCommand } from '../../../services/cli/cluster/node-command.ts';
import { typescriptLoader } from '../../../services/platform/lifecycle/node-program.ts';
import { PostgresKeeper } from '../../../services/cli/cluster/postgres-keeper.ts';
import { SupervisedProcess } from '../../../services/cli/cluster/supervised-process.ts';
import { CliSignals } from '../../../services/cli/terminal/signals.ts';
import type { SignalSource } from '../../../services/cli/terminal/signals.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'graft-cluster-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const until = <T>(check: () => T): Promise<T> => vi.waitFor(check, { timeout: 20_000, interval: 20 });

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a supervised process', () => {
  const said: string[] = [];
  beforeEach(() => (said.length = 0));

  function supervise(script: string, env: Readonly<Record<string, string>> = {}): SupervisedProcess {
    return new SupervisedProcess({
      name: 'child',
      command: [process.execPath, '-e', script],
      env: { ...process.env, ...env },
      logFile: join(folder, 'logs', 'child.log'),
      say: (text) => said.push(text),
      firstBackoffMs: 20,
    });
  }

  const log = (): string => readFileSync(join(folder, 'logs', 'child.log'), 'utf8');

  it('is restarted when it dies, keeps its log, and is not restarted after a stop', async () => {
    const child = supervise('console.log("begins"); setInterval(() => {}, 1000)');
    child.start();
    await until(() => expect(log()).toBe('begins\n'));
    process.kill(child.pid!, 'SIGKILL');
    await until(() => expect(log()).toBe('begins\nbegins\n'));
    expect(said).toEqual([expect.stringContaining('child ended (SIGKILL) and is restarted in 0.02 s')]);
    await child.stop(5_000);
    expect(child.pid).toBeNull();
    expect(child.startCount).toBe(2);
  });

  it('is restarted after growing pauses while it keeps dying', async () => {
    const child = supervise('process.exit(3)');
    child.start();
    await until(() => expect(child.startCount).toBe(4));
    await child.stop(1_000);
    expect(said.slice(0, 3).map((text) => /exit code 3.* in ([\d.]+) s/.exec(text)?.[1])).toEqual([
      '0.02',
      '0.04',
      '0.08',
    ]);
  });

  it('may end within the grace time, and is killed with its group after it', async () => {
    const child = supervise(
      `process.on('SIGTERM', () => {});
       const own = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
       console.log(own.pid); setInterval(() => {}, 1000)`,
    );
    child.start();
    const grandchild = await until(() => {
      expect(log()).toMatch(/^\d+\n$/);
      return Number(log());
    });
    await child.stop(100);
    expect(said).toEqual(['child did not end within 0.1 s and is killed']);
    await until(() => expect(isAlive(grandchild)).toBe(false));
  });

  it('does not receive the Ctrl-C of the terminal: it has its own process group', async () => {
    const child = supervise('setInterval(() => {}, 1000)');
    child.start();
    const stat = await until(() => readFileSync(`/proc/${String(child.pid)}/stat`, 'utf8'));
    const group = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
    expect(group).toBe(child.pid);
    await child.stop(5_000);
  });
});

describe('a child of a parent that is killed', () => {
  it('ends in order by itself; its own children are unaffected', async () => {
    const service = join(folder, 'service.mts');
    writeFileSync(
      service,
      `process.on('SIGTERM', () => { console.log('ends in order', process.env.END_WITH_PARENT ?? 'unset'); process.exit(0); });
       console.log('runs'); setInterval(() => {}, 1000);`,
    );
    const logFile = join(folder, 'service.log');
    const [node, ...supervised] = nodeCommand('x', { endWithParent: true }).slice(0, -1);
    const command = [node, ...typescriptLoader(), ...supervised, service];
    const parent = join(folder, 'parent.mts');
    writeFileSync(
      parent,
      `import { SupervisedProcess } from ${JSON.stringify(new URL('../../../services/cli/cluster/supervised-process.ts', import.meta.url).href)};
       new SupervisedProcess({ name: 'service', command: ${JSON.stringify(command)}, env: { ...process.env, END_WITH_PARENT: '1' },
         logFile: ${JSON.stringify(logFile)}, say: () => {} }).start();`,
    );
    const killed = spawn(process.execPath, [...typescriptLoader(), parent], { stdio: 'ignore' });
    const read = (): string => readFileSync(logFile, 'utf8');
    await until(() => expect(read()).toContain('runs'));
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    await until(() => expect(read()).toContain('ends in order unset'));
  });
});

describe('the lock of a state folder', () => {
  const quiet = (): void => undefined;

  it('refuses a second cluster and says where the first one is', async () => {
    const lock = await ClusterLock.acquire(folder, quiet);
    lock.update({ address: '127.0.0.1:7', databaseUrl: 'postgresql://x' });
    const second = ClusterLock.acquire(folder, quiet);
    await expect(second).rejects.toThrow(ClusterRunningError);
    await expect(second).rejects.toThrow(new RegExp(`process ${process.pid} with its coordinator at 127.0.0.1:7`));
    expect(findLiveCluster(folder)?.address).toBe('127.0.0.1:7');
    lock.release();
    expect(readClusterRecord(folder)).toBeNull();
    (await ClusterLock.acquire(folder, quiet)).release();
  });

  it('is taken over from a cluster that was killed, after its children have ended', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await once(child, 'spawn');
    const lock = await ClusterLock.acquire(folder, quiet);
    lock.setChildren([child.pid!]);
    // As if another process had had this process number and had ended.
    const record = readClusterRecord(folder)!;
    writeFileSync(
      join(folder, 'up.json'),
      JSON.stringify({ ...record, owner: { pid: record.owner.pid, startTime: '1' } }),
    );
    expect(findLiveCluster(folder)).toBeNull();
    const said: string[] = [];
    let taken = false;
    const next = ClusterLock.acquire(folder, (text) => said.push(text)).then((own) => {
      taken = true;
      return own;
    });
    await until(() =>
      expect(said).toEqual([expect.stringContaining('waiting until its process hands its tasks back')]),
    );
    expect(taken).toBe(false);
    child.kill('SIGKILL');
    (await next).release();
  });

  it('keeps the database password readable by its owner only', async () => {
    const lock = await ClusterLock.acquire(folder, quiet);
    const { statSync } = await import('node:fs');
    expect(statSync(join(folder, 'up.json')).mode & 0o077).toBe(0);
    lock.release();
  });
});

describe('the keeper of PostgreSQL', () => {
  it('restarts the server when it has died', async () => {
    const servers = [0, 1].map(() =>
      spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' }),
    );
    await Promise.all(servers.map((server) => once(server, 'spawn')));
    const started: number[] = [];
    const keeper = new PostgresKeeper({
      logFile: join(folder, 'postgres.log'),
      say: () => undefined,
      start: () => {
        const server = servers[started.length]!;
        started.push(server.pid!);
        const stop = async (): Promise<void> => {
          server.kill('SIGKILL');
          await once(server, 'exit');
        };
        return Promise.resolve({ url: 'postgresql://x', pid: server.pid!, isOwn: true, stop });
      },
    });
    expect(await keeper.start()).toBe('postgresql://x');
    servers[0]!.kill('SIGKILL');
    await until(() => expect(started).toEqual(servers.map(({ pid }) => pid)));
    await keeper.stop();
    expect(servers[1]!.signalCode).toBe('SIGKILL');
  });
});

describe('a log that is followed', () => {
  it('passes on new lines only, even after a truncation', async () => {
    const file = join(folder, 'x.log');
    writeFileSync(file, 'old\n');
    const lines: string[] = [];
    const tail = new LogTail(file, (line) => lines.push(line));
    appendFileSync(file, 'one\ntwo\nthr');
    await until(() => expect(lines).toEqual(['one', 'two']));
    appendFileSync(file, 'ee\n');
    await until(() => expect(lines).toEqual(['one', 'two', 'three']));
    writeFileSync(file, 'four\n');
    await until(() => expect(lines).toEqual(['one', 'two', 'three', 'four']));
    appendFileSync(file, 'rest');
    tail.close();
    expect(lines.at(-1)).toBe('rest');
  });
});

describe('Ctrl-C', () => {
  it('counts once when npm forwards it as well, and a later second one counts', () => {
    const listeners: ((name: NodeJS.Signals) => void)[] = [];
    const source: SignalSource = { on: (_name, listener) => listeners.push(listener), off: () => undefined };
    let now = 0;
    const signals = new CliSignals(source, () => now);
    let seconds = 0;
    signals.onSecond = () => (seconds += 1);
    listeners[0]!('SIGINT');
    expect(signals.signal.aborted).toBe(true);
    now = 300;
    listeners[0]!('SIGINT');
    expect(seconds).toBe(0);
    now = 2_000;
    listeners[0]!('SIGINT');
    expect(seconds).toBe(1);
  });
});

it('announces a cluster even if its sweeps are not listed', async () => {
  let out = '';
  let err = '';
  const context = {
    env: {},
    cwd: folder,
    paths: { cacheDir: folder, stateDir: folder },
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    signal: new AbortController().signal,
    signals: { onSecond: null },
  };
  const cluster = {
    address: `127.0.0.1:${await freePort()}`,
    databaseUrl: 'postgresql://localhost/graft',
    logDir: folder,
    stop: (): Promise<void> => Promise.resolve(),
    kill: (): void => undefined,
  };
  await announceCluster(context, { command: 'up', output: 'table' }, cluster, 1_200);
  expect(out).toContain(`Graft is up after 1.2 s.\n  coordinator  ${cluster.address}\n`);
  expect(err).toMatch(/^Unfinished sweeps could not be listed \(UNAVAILABLE: .* refuses the connection/);
});
