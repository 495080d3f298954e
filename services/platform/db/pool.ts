import pg from 'pg';
import type { Logger } from '../telemetry/logger.ts';
import type { OutageLog } from './outage-log.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 30_000;
const STATEMENT_TIMEOUT_MS = 60_000;
const DEFAULT_IDLE_IN_TRANSACTION_MS = 60_000;
/** Above the server's own limit, which answers first while there is a connection. */
const ANSWER_TIMEOUT_MS = 75_000;
const DEFAULT_MAX = 10;

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
 * Statements of one connection are sent at once and not after the answer to the one before, so several that don't need each
 * other's answers cost one round trip (`together.ts`).
 *
 * @param url `postgresql://user:password@host:port/database`
 */
export function createPool(url: string, options: PoolOptions): pg.Pool {
  const { log, outage } = options;
  const pool = new pg.Pool({
    connectionString: url,
    application_name: options.applicationName,
    max: options.max ?? DEFAULT_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
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
