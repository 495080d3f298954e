import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { chooseServerAccount } from '../../services/platform/db/embedded-postgres/account.ts';
import type { ServerAccount } from '../../services/platform/db/embedded-postgres/account.ts';
import { findBinaries } from '../../services/platform/db/embedded-postgres/binaries.ts';
import { freePort } from '../../services/platform/net/free-port.ts';

const READY_MS = 60_000;
const POLL_MS = 50;

export interface PostgresServerOptions {
  /** Folder with initdb and postgres; default: the embedded server. */
  readonly bin?: string;
  /** Settings for the command line, such as `max_connections: '20'`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Lines of pg_hba.conf; default: all clients on loopback, without a password. */
  readonly hba?: readonly string[];
  /** Files of the data folder by name, such as certificates, readable by the server only. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A PostgreSQL server with special settings, which the tests' shared server can't have. Loopback only; no data is kept. */
export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  readonly account: ServerAccount | undefined;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, account: ServerAccount | undefined, child: ChildProcess, folder: string) {
    this.port = port;
    this.account = account;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const account = chooseServerAccount();
    const bin = options.bin ?? join(findBinaries(account).initdb, '..');
    // The server's account can't enter folders of root.
    const folder = mkdtempSync('/tmp/graft-postgres-');
    own(folder, account);
    const data = join(folder, 'data');
    const port = await freePort();
    const run = { cwd: folder, env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' }, ...identity(account) };
    const made = spawn(
      join(bin, 'initdb'),
      [
        '-D',
        data,
        '--username=graft',
        '--auth=trust',
        '--encoding=UTF8',
        '--locale=C',
        '--no-sync',
        '--no-instructions',
      ],
      { ...run, stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const [code] = (await once(made, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`initdb of ${bin} ended with ${code}`);
    for (const [name, content] of Object.entries({ ...options.files, ...hbaFile(options.hba) })) {
      writeFileSync(join(data, name), content, { mode: 0o600 });
      own(join(data, name), account);
    }
    const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', ...options.settings };
    const args = [
      '-D',
      data,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ];
    const child = spawn(join(bin, 'postgres'), args, { ...run, stdio: ['ignore', 'ignore', 'ignore'] });
    const server = new PostgresServer(port, account, child, folder);
    await untilAnswers(server.url('postgres'), child);
    return server;
  }

  url(database: string, parameters = ''): string {
    return `postgresql://graft@127.0.0.1:${this.port}/${database}${parameters}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endServer(this.#child, this.#folder);
  }
}

/** Waits until a server accepts or rejects a client. @throws the error of the last try, when the server ends or takes too long. */
export async function untilAnswers(url: string, child: ChildProcess): Promise<void> {
  const endAt = performance.now() + READY_MS;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      return;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      // 28000: the server is up, and pg_hba.conf rejects the client.
      if (code === '28000') return;
      if (performance.now() > endAt || child.exitCode !== null) throw error;
      await delay(POLL_MS);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

/** Stops a server immediately and removes its folder. */
export async function endServer(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGQUIT');
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
}

/** Returns the folder of Debian's PostgreSQL programs of a major version; null if not installed. */
export function debianPostgres(major: number): string | null {
  const bin = `/usr/lib/postgresql/${major}/bin`;
  return existsSync(join(bin, 'initdb')) ? bin : null;
}

function hbaFile(hba: readonly string[] | undefined): Record<string, string> {
  return hba === undefined ? {} : { 'pg_hba.conf': `${hba.join('\n')}\n` };
}

function identity(account: ServerAccount | undefined): { uid?: number; gid?: number } {
  return account === undefined ? {} : { uid: account.uid, gid: account.gid };
}

/** Changes the owner of a file or folder to the servers' account. */
export function own(path: string, account: ServerAccount | undefined): void {
  if (account !== undefined) chownSync(path, account.uid, account.gid);
}

/** Creates a folder for the files of a server that runs as `account`. */
export function serverFolder(prefix: string, account: ServerAccount | undefined): string {
  const folder = mkdtempSync(join('/tmp', prefix));
  mkdirSync(folder, { recursive: true });
  own(folder, account);
  return folder;
}
