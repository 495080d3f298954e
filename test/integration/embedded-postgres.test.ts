import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startEmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';
import type { EmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';
import { commandLineOf } from '../../services/platform/lifecycle/process-identity.ts';

const owner = join(import.meta.dirname, '..', 'support', 'embedded-postgres-owner.ts');
// initdb flushes a thousand files, which takes half a minute on a disk that others keep busy.
vi.setConfig({ testTimeout: 120_000 });

const log = (): void => undefined;

let template: string;
let parent: string;
let dataDir: string;
const started: EmbeddedPostgres[] = [];
const owners: ChildProcess[] = [];

beforeAll(async () => {
  template = mkdtempSync(join(tmpdir(), 'graft-embedded-postgres-template-'));
  const server = await startEmbeddedPostgres({ dataDir: join(template, 'postgres'), log });
  await server.stop();
});

afterAll(() => {
  rmSync(template, { recursive: true, force: true });
});

beforeEach(() => {
  // 0700, as a home folder may be: the account that the server runs under cannot walk through it.
  parent = mkdtempSync(join(tmpdir(), 'graft-embedded-postgres-'));
  dataDir = join(parent, 'postgres');
});

afterEach(async () => {
  for (const child of owners.splice(0)) child.kill('SIGKILL');
  for (const server of started.splice(0)) await server.stop();
  // One more start takes over whatever a killed owner left, so that nothing runs on.
  if (existsSync(join(dataDir, 'cluster', 'postmaster.pid'))) {
    const last = await startEmbeddedPostgres({ dataDir, log }).catch(() => undefined);
    await last?.stop();
  }
  rmSync(parent, { recursive: true, force: true });
});

async function start(options: { port?: number } = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, log, ...options });
  started.push(server);
  return server;
}

async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

interface Owner {
  readonly child: ChildProcess;
  readonly url: string;
  readonly pid: number;
  readonly nextLine: () => Promise<string>;
}

/** Starts the server from another process, in a process group of its own. */
async function startFromAnotherProcess(): Promise<Owner> {
  const child = spawn(process.execPath, ['--import', 'tsx', owner, dataDir], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  owners.push(child);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => String((await lines.next()).value);
  const { url, pid } = JSON.parse(await nextLine()) as { url: string; pid: number };
  return { child, url, pid, nextLine };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

async function untilGone(pid: number): Promise<void> {
  await vi.waitFor(
    () => {
      expect(commandLineOf(pid)).toEqual([]);
    },
    { timeout: 20_000, interval: 20 },
  );
}

describe('startEmbeddedPostgres on an empty folder', () => {
  it('gives a durable server on the loopback address that asks for its password', async () => {
    const { url, pid } = await start();
    const settings = await query(
      url,
      `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit,
              current_setting('max_connections') AS connections, current_setting('listen_addresses') AS addresses,
              current_setting('unix_socket_directories') AS sockets, current_database() AS database,
              current_setting('server_encoding') AS encoding, current_setting('TimeZone') AS zone`,
    );
    expect(settings).toEqual([
      {
        fsync: 'on',
        commit: 'on',
        connections: '100',
        addresses: '127.0.0.1',
        sockets: '',
        database: 'graft',
        encoding: 'UTF8',
        zone: 'UTC',
      },
    ]);
    expect(statSync(join(dataDir, 'password')).mode & 0o777).toBe(0o600);
    expect(statSync(parent).mode & 0o777).toBe(0o700);
    expect(statSync(`/proc/${String(pid)}`).uid).not.toBe(0);
    const wrong = new URL(url);
    wrong.password = 'wrong';
    await expect(query(wrong.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
    const none = new URL(url);
    none.password = '';
    await expect(query(none.href, 'SELECT 1')).rejects.toThrow();
  });

  it('starts over when initdb was cut off', async () => {
    // What a killed initdb leaves: the version is written early, most files are missing.
    const partial = join(dataDir, 'cluster.partial');
    mkdirSync(partial, { recursive: true });
    writeFileSync(join(partial, 'PG_VERSION'), '18\n');
    const { url } = await start();
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(existsSync(partial)).toBe(false);
  });
});

describe('startEmbeddedPostgres on a folder with data', () => {
  beforeEach(() => {
    // A copy with its owners: initdb takes seconds on a busy machine.
    execFileSync('cp', ['-a', join(template, 'postgres'), dataDir]);
    rmSync(join(dataDir, 'port'));
  });

  it('keeps data and address from one start to the next, and stops completely', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    expect(commandLineOf(first.pid)).toEqual([]);
    expect(existsSync(join(dataDir, 'cluster', 'postmaster.pid'))).toBe(false);
    await first.stop();
    const second = await start();
    expect(second.url).toBe(first.url);
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('stops by itself when its process is killed, and loses nothing that was committed', async () => {
    const other = await startFromAnotherProcess();
    await query(other.url, 'CREATE TABLE kept AS SELECT 7 AS answer');
    await kill(other.child);
    await untilGone(other.pid);
    const { url, isOwn } = await start();
    expect(isOwn).toBe(true);
    expect(await query(url, 'SELECT answer FROM kept')).toEqual([{ answer: 7 }]);
  });

  it('starts right after its process was killed, while the old server may still be stopping', async () => {
    const other = await startFromAnotherProcess();
    await kill(other.child);
    const { pid, url } = await start();
    expect(pid).not.toBe(other.pid);
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('replaces a server that was left running when process and watcher were killed', async () => {
    const other = await startFromAnotherProcess();
    for (const watcher of watchersOf(other.pid)) process.kill(watcher, 'SIGKILL');
    await kill(other.child);
    expect(await query(other.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const { pid, url, isOwn } = await start();
    expect(isOwn).toBe(true);
    expect(pid).not.toBe(other.pid);
    expect(commandLineOf(other.pid)).toEqual([]);
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('shares the server of another process that lives, and leaves it running', async () => {
    const other = await startFromAnotherProcess();
    const shared = await start();
    expect(shared).toMatchObject({ pid: other.pid, url: other.url, isOwn: false });
    await shared.stop();
    expect(await query(other.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is not reached by Ctrl-C in the terminal of its process', async () => {
    const other = await startFromAnotherProcess();
    process.kill(-Number(other.child.pid), 'SIGINT');
    expect(await other.nextLine()).toBe('interrupted');
    expect(await query(other.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('recovers after the server itself was killed', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 3 AS answer');
    process.kill(first.pid, 'SIGKILL');
    await untilGone(first.pid);
    const second = await start();
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 3 }]);
  });

  it('is not stopped by a postmaster.pid whose number now belongs to another process', async () => {
    const first = await start();
    await first.stop();
    const lines = [process.pid, join(dataDir, 'cluster'), 1, 5432, '', '127.0.0.1', '  1 1', 'ready   ', ''];
    writeFileSync(join(dataDir, 'cluster', 'postmaster.pid'), lines.join('\n'));
    const { url } = await start();
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('gives one server to two starts at once', async () => {
    const servers = await Promise.all([start(), start()]);
    expect(servers[0].pid).toBe(servers[1].pid);
    expect(servers.map(({ isOwn }) => isOwn).sort()).toEqual([false, true]);
  });

  it('takes the port asked for, and says when it is in use', async () => {
    const blocker = createServer();
    const port = await new Promise<number>((resolve) => {
      blocker.listen(0, '127.0.0.1', () => {
        const address = blocker.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    await expect(start({ port })).rejects.toThrow(`Port ${String(port)} of 127.0.0.1 is in use.`);
    await new Promise((resolve) => blocker.close(resolve));
    expect(new URL((await start({ port })).url).port).toBe(String(port));
  });

  it('refuses a folder of another version of PostgreSQL and one without its password', async () => {
    const first = await start();
    await first.stop();
    const version = join(dataDir, 'cluster', 'PG_VERSION');
    writeFileSync(version, '17\n');
    await expect(start()).rejects.toThrow(/was created by PostgreSQL 17; the embedded server is 18/);
    writeFileSync(version, '18\n');
    const password = readFileSync(join(dataDir, 'password'));
    rmSync(join(dataDir, 'password'));
    await expect(start()).rejects.toThrow(/password is missing/);
    writeFileSync(join(dataDir, 'password'), password);
    expect((await start()).isOwn).toBe(true);
  });
});

/** The shells that wait for the end of the server's owner: they carry the server's arguments, with its cluster name. */
function watchersOf(serverPid: number): number[] {
  const name = commandLineOf(serverPid).find((part) => part.startsWith('cluster_name='));
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== serverPid)
    .filter((pid) => {
      const command = commandLineOf(pid);
      return command[0]?.endsWith('sh') === true && name !== undefined && command.includes(name);
    });
}
