import pg from 'pg';
import { DatabaseClient, isOtherSslNext, isOutOfConnections } from './database-client.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { OutageLog } from './outage-log.ts';

const IDLE_TIMEOUT_MS = 30_000;
const STATEMENT_TIMEOUT_MS = 60_000;
const DEFAULT_IDLE_IN_TRANSACTION_MS = 60_000;
/** Above the server's own limit, which answers first while there is a connection. */
const ANSWER_TIMEOUT_MS = 75_000;
const DEFAULT_MAX = 10;
/** How long a statement waits for a connection; longer than the deadline of most calls, which then bounds it. */
const QUEUE_TIMEOUT_MS = 30_000;
/** Between two attempts of a pool to be larger again, after the server refused it a connection. */
const GROW_MS = 1_000;

export interface PoolOptions {
  /** Connections at most; default 10. */
  readonly max?: number;
  /** Shown in `pg_stat_activity`, for example `graft-coordinator`. */
  readonly applicationName: string;
  readonly log: Logger;
  /** A transaction that says nothing for so long is rolled back by the server; default 60 s. */
  readonly idleInTransactionMs?: number;
  /** Told of connections that are lost with the server. */
  readonly outage?: OutageLog;
}

/**
 * A pool of connections. Opens none by itself: the first query does.
 *
 * A statement may take 60 s and a transaction may be idle for `idleInTransactionMs`, both told to the server, so that a
 * process that stopped can't hold row locks for ever; a server that has vanished without a word is given up after 75 s.
 *
 * Where the server has no connection slot left (`max_connections`, limits of a role, a database or a pooler), the pool makes do with
 * the connections it has and grows again later; statements wait for up to 30 s and don't fail.
 *
 * Statements of one connection are sent at once and not after the answer to the one before, so several that don't need each
 * other's answers cost one round trip (`together.ts`).
 *
 * @param url `postgresql://user:password@host:port/database`
 */
export function createPool(url: string, options: PoolOptions): pg.Pool {
  const { log, outage } = options;
  const pool = new DatabasePool({
    connectionString: url,
    application_name: options.applicationName,
    max: options.max ?? DEFAULT_MAX,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    keepAlive: true,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: options.idleInTransactionMs ?? DEFAULT_IDLE_IN_TRANSACTION_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    pipeline: true,
  });
  // Without a listener an idle connection that the server closes would end the process.
  pool.on('error', (error) => {
    // The server may end before the connections that are being closed.
    if (pool.ending || outage?.note(error) === true) return;
    // The pool hangs the whole client on it.
    Reflect.deleteProperty(error, 'client');
    log.warn({ err: error }, 'idle database connection lost; the pool opens another one');
  });
  pool.on('connect', (client) => {
    // The query under way reports the loss as well; without a listener the event would end the process.
    client.on('error', (error) => log.debug({ err: error }, 'database connection lost'));
  });
  return pool;
}

class DatabasePool extends pg.Pool {
  readonly #max: number;
  #grow: NodeJS.Timeout | null = null;

  constructor(config: pg.PoolConfig & { readonly max: number }) {
    const onRefused = (): void => this.#shrink();
    // No time limit of the pool's own: it would also end what waits for its turn, and its clients have one.
    super({ ...config, Client: DatabaseClient, connectionTimeoutMillis: undefined, ...{ onRefused } });
    this.#max = config.max;
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | undefined {
    const acquired = this.#acquire();
    if (callback === undefined) return acquired;
    acquired.then(
      (client) => callback(undefined, client, (error) => client.release(error)),
      (error: unknown) => callback(error, undefined, () => undefined),
    );
    return undefined;
  }

  async #acquire(): Promise<pg.PoolClient> {
    const endAt = performance.now() + QUEUE_TIMEOUT_MS;
    for (let isSecond = false; ;) {
      try {
        return await withinTime(super.connect(), endAt - performance.now());
      } catch (error) {
        if (isOtherSslNext(error) && !isSecond) {
          isSecond = true;
          continue;
        }
        if (!isOutOfConnections(error) || performance.now() > endAt || this.ending) throw error;
      }
    }
  }

  /** Called while the client that was refused still counts. With one at least, what waits has something to wait for. */
  #shrink(): void {
    this.options.max = Math.max(1, this.totalCount - 1);
    this.#grow ??= setInterval(() => {
      this.options.max += 1;
      if (this.options.max < this.#max && !this.ending) return;
      if (this.#grow !== null) clearInterval(this.#grow);
      this.#grow = null;
    }, GROW_MS).unref();
  }
}

type ConnectCallback = (
  error: unknown,
  client: pg.PoolClient | undefined,
  done: (release?: Error | boolean) => void,
) => void;

/** Gives the client back at once where it comes too late. */
async function withinTime(connecting: Promise<pg.PoolClient>, timeoutMs: number): Promise<pg.PoolClient> {
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate = true;
      reject(new Error('timeout exceeded when trying to connect'));
    }, timeoutMs);
  });
  connecting.then(
    (client) => {
      if (isLate) client.release();
    },
    () => undefined,
  );
  try {
    return await Promise.race([connecting, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
