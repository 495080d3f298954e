import pg from 'pg';
import { DatabaseClient, isOtherSslNext, isOutOfConnections } from './database-client.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { OutageLog } from './outage-log.ts';

const IDLE_TIMEOUT_MS = 30_000;
const STATEMENT_TIMEOUT_MS = 60_000;
const DEFAULT_IDLE_IN_TRANSACTION_MS = 60_000;
/** Time limit of a reply. It exceeds the server's own limit, which applies first while the connection is alive. */
const ANSWER_TIMEOUT_MS = 75_000;
const DEFAULT_MAX = 10;
/**
 * Maximum wait of a statement for a connection. It exceeds the deadline of most calls, which therefore bounds the wait.
 */
const QUEUE_TIMEOUT_MS = 30_000;
/** Interval between attempts of a pool to grow after the server refused a connection. */
const GROW_MS = 1_000;

export interface PoolOptions {
  /** Maximum number of connections; default 10. */
  readonly max?: number;
  /** Name in `pg_stat_activity`, for example `graft-coordinator`. */
  readonly applicationName: string;
  readonly log: Logger;
  /** Idle time after which the server rolls back a transaction, in milliseconds; default 60 s. */
  readonly idleInTransactionMs?: number;
  /** Records connections that are lost with the server. */
  readonly outage?: OutageLog;
}

/**
 * Creates a pool of connections, which are opened on demand.
 *
 * A statement may take 60 s and a transaction may be idle for `idleInTransactionMs`. The server enforces both, so that
 * a suspended process can't hold row locks indefinitely. A server that stops replying is given up after 75 s.
 *
 * If the server has no connection slot left (`max_connections`, limits of a role, a database or a pooler), the pool
 * uses the connections it has and grows again later. Statements wait for up to 30 s instead of failing.
 *
 * Statements of one connection are pipelined, so several independent ones cost one round trip (`batch.ts`).
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
  // An unhandled error event of an idle connection would end the process.
  pool.on('error', (error) => {
    // The server may end before the connections that are being closed.
    if (pool.ending || outage?.recordError(error) === true) return;
    // The pool attaches the whole client to the error.
    Reflect.deleteProperty(error, 'client');
    log.warn({ err: error }, 'idle database connection lost; the pool opens another');
  });
  pool.on('connect', (client) => {
    // The running query reports the loss as well; an unhandled error event would end the process.
    client.on('error', (error) => log.debug({ err: error }, 'database connection lost'));
  });
  return pool;
}

class DatabasePool extends pg.Pool {
  readonly #max: number;
  #grow: NodeJS.Timeout | null = null;

  constructor(config: pg.PoolConfig & { readonly max: number }) {
    const onRefused = (): void => this.#shrink();
    // The pool's own time limit is off: it would also apply to queued requests, and its clients have one.
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

  /**
   * Called while the refused client still counts. With at least one connection, queued statements have something to
   * wait for.
   */
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

/** Releases the client immediately if it arrives too late. */
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
