import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chooseServerAccount } from '../../services/platform/db/embedded-postgres/account.ts';
import { freePort } from '../../services/platform/net/free-port.ts';
import { endServer, own, serverFolder, untilAnswers } from './postgres-server.ts';

export type PoolMode = 'session' | 'transaction' | 'statement';

/** Path of the program, from PATH or Debian's folder; null: not installed. */
export function findPgBouncer(): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, 'pgbouncer')).find((path) => existsSync(path)) ?? null;
}

/** Reason to skip, for `test.skipIf`. */
export const NO_PGBOUNCER = 'no pgbouncer on this machine (apt-get install pgbouncer)';

/** A real PgBouncer in front of a server, with its default settings except the given ones. */
export class PgBouncer implements AsyncDisposable {
  /** URL of the same database through the pooler. */
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** @param target connection string of the database behind the pooler. */
  static async start(
    target: string,
    mode: PoolMode,
    settings: Readonly<Record<string, string | number>> = {},
  ): Promise<PgBouncer> {
    const program = findPgBouncer();
    if (program === null) throw new Error(NO_PGBOUNCER);
    const account = chooseServerAccount();
    const folder = serverFolder('graft-pgbouncer-', account);
    const { username, password, hostname, port, pathname, search } = new URL(target);
    const listenPort = await freePort();
    const database = decodeURIComponent(pathname.slice(1));
    const user = decodeURIComponent(username);
    const secret = password === '' ? '' : ` password=${decodeURIComponent(password)}`;
    const lines = {
      listen_addr: '127.0.0.1',
      listen_port: listenPort,
      unix_socket_dir: '',
      auth_type: 'trust',
      auth_file: join(folder, 'users.txt'),
      pool_mode: mode,
      logfile: join(folder, 'log'),
      ...settings,
    };
    const ini = [
      '[databases]',
      `* = host=${hostname} port=${port || '5432'} user=${user}${secret}`,
      '[pgbouncer]',
      ...Object.entries(lines).map(([name, value]) => `${name} = ${value}`),
    ];
    for (const [name, text] of [
      ['pgbouncer.ini', `${ini.join('\n')}\n`],
      ['users.txt', `"${user}" ""\n`],
    ] as const) {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      own(join(folder, name), account);
    }
    const child = spawn(program, ['-q', join(folder, 'pgbouncer.ini')], {
      cwd: folder,
      stdio: 'ignore',
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
    const url = `postgresql://${username}@127.0.0.1:${listenPort}/${database}${search}`;
    const bouncer = new PgBouncer(url, child, folder);
    await untilAnswers(url, child);
    return bouncer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endServer(this.#child, this.#folder);
  }
}
