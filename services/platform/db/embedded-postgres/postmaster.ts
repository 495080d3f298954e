import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServerAccount } from './account.ts';
import { dataFolderArgument } from './cluster.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import { commandLineOf } from '../../lifecycle/process-identity.ts';

const KEPT_LINES = 30;
const FAST_STOP_MS = 20_000;
const POLL_MS = 25;

/** A running server, as found in its postmaster.pid. */
export interface RunningPostmaster {
  readonly pid: number;
  readonly port: number;
}

/** Returns an identifier of the data folder for the server's command line, which every user can read with `ps`. */
function clusterName(cluster: string): string {
  return `graft-${createHash('sha256').update(cluster).digest('hex').slice(0, 12)}`;
}

/**
 * Finds the running server of a data folder. A stale postmaster.pid is removed: PostgreSQL would refuse to start if its
 * process ID now belonged to another process, which is common after a container restart.
 *
 * @throws {EmbeddedPostgresError} when a PostgreSQL that Graft did not start holds the folder.
 */
export function findRunningPostmaster(cluster: string): RunningPostmaster | undefined {
  const file = join(cluster, 'postmaster.pid');
  const lines = readLines(file);
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  const command = commandLineOf(pid);
  if (command.includes(`cluster_name=${clusterName(cluster)}`)) return { pid, port: Number(lines[3]) };
  if (command[0]?.endsWith('postgres') === true && !command.some((part) => part.startsWith('cluster_name=graft-'))) {
    throw new EmbeddedPostgresError(
      `The process ${String(pid)} (${command.join(' ')}) may be using ${cluster}.`,
      `Stop it, or delete ${file} if it is another server.`,
    );
  }
  rmSync(file, { force: true });
  return undefined;
}

function readLines(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/**
 * Stops a server in fast mode (open transactions are rolled back, data is flushed), and in immediate mode if that takes
 * too long.
 */
export async function stopPostmaster(pid: number, cluster: string): Promise<void> {
  const isRunning = (): boolean => commandLineOf(pid).includes(`cluster_name=${clusterName(cluster)}`);
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (!isRunning()) return;
    process.kill(pid, signal);
    const deadline = Date.now() + FAST_STOP_MS;
    while (isRunning() && Date.now() < deadline) await delay(POLL_MS);
  }
  if (!isRunning()) return;
  throw new EmbeddedPostgresError(
    `The server with process ${String(pid)} does not stop.`,
    'Find it with ps and end it.',
  );
}

/**
 * Runs the server in its own session, so that Ctrl-C in the terminal does not reach it. A watcher beside it waits for
 * the end of our pipe: however this process ends, even by SIGKILL, the server is then stopped in fast mode. The watcher
 * is not a child of the server (hence the two brackets), because PostgreSQL objects to unknown children.
 */
const GUARDED = '( ( read -r _ <&3 || kill -INT $$ ) >/dev/null 2>&1 & ); exec "$@" 3<&-';

export interface PostmasterOptions {
  readonly postgres: string;
  readonly cluster: string;
  readonly account: ServerAccount | undefined;
  readonly port: number;
  readonly log: (line: string) => void;
}

/** A server that this process started. */
export class PostmasterProcess {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #exited: Promise<void>;
  #running = true;

  constructor(child: ChildProcess, pid: number, log: (line: string) => void) {
    this.#child = child;
    this.pid = pid;
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => {
        this.#running = false;
        resolve();
      });
    });
    let rest = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        this.#lines.push(line);
        if (this.#lines.length > KEPT_LINES) this.#lines.shift();
        log(line);
      }
    });
  }

  isRunning(): boolean {
    return this.#running;
  }

  lastOutput(): string {
    return this.#lines.join('\n');
  }

  /** Stops the server and resolves when it has ended. Further calls do nothing. */
  async stop(): Promise<void> {
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
      if (!this.#running) break;
      this.#child.kill(signal);
      const gaveUp = new AbortController();
      await Promise.race([
        this.#exited,
        delay(FAST_STOP_MS, undefined, { signal: gaveUp.signal }).catch(() => undefined),
      ]);
      gaveUp.abort();
    }
    // Tells the watcher that there is nothing left to stop.
    (this.#child.stdio[3] as Writable).end('stopped\n');
  }
}

/** Starts the server, which accepts connections a little later. */
export async function launchPostmaster(options: PostmasterOptions): Promise<PostmasterProcess> {
  const { postgres, cluster, account, port } = options;
  const settings = {
    cluster_name: clusterName(cluster),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '100',
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    log_checkpoints: 'off',
  };
  const args = ['-D', dataFolderArgument(cluster, account), '-p', String(port)];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const child = spawn('/bin/sh', ['-c', GUARDED, 'graft-postgres', postgres, ...args], {
    cwd: cluster,
    detached: true,
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const { pid } = child;
  if (pid === undefined) throw new EmbeddedPostgresError(`${postgres} could not be started.`, 'Run npm run setup.');
  // A caller that forgets to stop the server can still exit; the watcher then stops it.
  child.unref();
  for (const stream of child.stdio) (stream as { unref?: () => void } | null)?.unref?.();
  (child.stdio[3] as Writable).on('error', () => undefined);
  return new PostmasterProcess(child, pid, options.log);
}
