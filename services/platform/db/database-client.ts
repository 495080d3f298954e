import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { errorCode } from './database-error.ts';
import { DatabaseSetupError } from './database-setup-error.ts';
import { describeSsl, parseDatabaseUrl, sslAttempts } from './database-url.ts';
import type { DatabaseUrl } from './database-url.ts';
import { preferTls } from './prefer-tls.ts';
import { sessionSettings } from './session-settings.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Pause in milliseconds after the server refused a connection because it has too many. */
const REFUSED_MS = 100;
/** Maximum wait of `openClient` for a free connection slot, in milliseconds. */
const SLOT_WAIT_MS = 30_000;

const TOO_MANY_CONNECTIONS = '53300';
/** A full pooler has no error code of its own (PgBouncer 1.18 to 1.25). */
const POOLER_FULL = /no more connections allowed/;
const QUERY_CANCELED = '57014';
/** Attempts to fix the settings of a session while its `statement_timeout` cancels them. */
const SETTINGS_ATTEMPTS = 10;
const NOT_AUTHORISED = '28000';
const NO_SSL = /server does not support SSL|establishing an SSL connection/;
const STARTUP_PARAMETER = /unsupported startup parameter/;

/** OpenSSL's certificate errors (Node.js tls), and Node's own for the host name. */
const CERTIFICATE =
  /^(CERT_|ERR_TLS_CERT_ALTNAME_INVALID|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY)_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/;

export interface DatabaseClientConfig extends pg.ClientConfig {
  /** Called when the server refuses the connection because it has too many, before the error is reported. */
  readonly onRefused?: (() => void) | undefined;
}

/**
 * Index of the TLS attempt that last succeeded, by connection string: `prefer` must not fail its first attempt each
 * time.
 */
const lastAttempts = new Map<string, number>();

/** Errors of an attempt that has an alternative. */
const failedForSsl = new WeakSet<Error>();

/**
 * The only kind of connection that Graft opens; pools, listeners, leadership and migrations use it. Its session
 * settings are fixed before the first statement (`session-settings.ts`), and TLS follows libpq (`database-url.ts`).
 *
 * `statement_timeout` and `idle_in_transaction_session_timeout` are set in the session, not as startup parameters.
 */
export class DatabaseClient extends pg.Client {
  readonly #config: DatabaseClientConfig;
  readonly #prepared: Prepared;

  constructor(config: DatabaseClientConfig = {}) {
    const prepared = prepare(config);
    super(prepared.pgConfig);
    this.#config = config;
    this.#prepared = prepared;
  }

  override connect(): Promise<this>;
  override connect(callback: (error: Error) => void): void;
  override connect(callback?: (error: Error) => void): Promise<this> | undefined {
    const opened = this.#open();
    if (callback === undefined) return opened;
    const report = callback as (error: unknown) => void;
    opened.then(() => report(null), report);
    return undefined;
  }

  async #open(): Promise<this> {
    const { problem, settings, target } = this.#prepared;
    if (problem !== null) throw problem;
    const ignore = (): void => undefined;
    // The error is thrown below; an unhandled error event would end the process.
    this.on('error', ignore);
    try {
      await super.connect();
      await this.#applySettings(settings);
    } catch (error) {
      void this.end().catch(ignore);
      if (isOutOfConnections(error)) {
        this.#config.onRefused?.();
        await sleep(REFUSED_MS * (0.5 + Math.random()));
      }
      throw this.#failure(explain(error, target), error);
    }
    this.off('error', ignore);
    return this;
  }

  /** Sends the settings. They are subject to the role's own `statement_timeout` themselves, which a busy server may exceed. */
  async #applySettings(settings: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await super.query(settings);
        return;
      } catch (error) {
        if (errorCode(error) !== QUERY_CANCELED || attempt === SETTINGS_ATTEMPTS) throw error;
      }
    }
  }

  #failure(explained: unknown, error: unknown): unknown {
    const { attempt, attemptCount } = this.#prepared;
    const isSsl = error instanceof Error && (errorCode(error) === NOT_AUTHORISED || NO_SSL.test(error.message));
    if (isSsl && attemptCount > 1 && explained instanceof Error) {
      lastAttempts.set(this.#config.connectionString ?? '', 1 - attempt);
      failedForSsl.add(explained);
    }
    return explained;
  }
}

/**
 * Opens one connection, waiting up to 30 s for a free connection slot.
 *
 * @param signal aborts the wait.
 * @throws {DatabaseSetupError} when the settings don't fit the server; otherwise the server's error.
 */
export async function openClient(config: DatabaseClientConfig, signal?: AbortSignal): Promise<DatabaseClient> {
  const endAt = performance.now() + SLOT_WAIT_MS;
  for (let isSecond = false; ;) {
    const client = new DatabaseClient({ ...config, onRefused: undefined });
    try {
      await client.connect();
      // The running query reports the loss; an unhandled error event would end the process.
      client.on('error', () => undefined);
      return client;
    } catch (error) {
      if (isOtherSslNext(error) && !isSecond) {
        isSecond = true;
        continue;
      }
      if (!isOutOfConnections(error) || performance.now() > endAt || signal?.aborted === true) throw error;
    }
  }
}

/** Returns whether the server (or a pooler) has no connection slot left. */
export function isOutOfConnections(error: unknown): boolean {
  return errorCode(error) === TOO_MANY_CONNECTIONS || (error instanceof Error && POOLER_FULL.test(error.message));
}

/**
 * Returns whether connecting failed with TLS (or without it) and is to be retried, which the next client does the other
 * way.
 */
export function isOtherSslNext(error: unknown): boolean {
  return error instanceof Error && failedForSsl.has(error);
}

interface Prepared {
  readonly pgConfig: pg.ClientConfig;
  readonly settings: string;
  readonly target: DatabaseUrl | null;
  readonly attempt: number;
  readonly attemptCount: number;
  /** Error that `connect` must reject with, because a constructor that throws inside a pool would end the process. */
  readonly problem: Error | null;
}

function prepare(config: DatabaseClientConfig): Prepared {
  const { statement_timeout, idle_in_transaction_session_timeout, connectionString, ...rest } = config;
  let target: DatabaseUrl | null = null;
  let attempts: ReturnType<typeof sslAttempts> = [false];
  let problem: Error | null = null;
  try {
    target = connectionString === undefined ? null : parseDatabaseUrl(connectionString);
    if (target !== null) attempts = sslAttempts(target.ssl);
  } catch (error) {
    problem = error instanceof Error ? error : new Error(String(error));
  }
  const attempt = Math.min(lastAttempts.get(connectionString ?? '') ?? 0, attempts.length - 1);
  const ssl = attempts[attempt] ?? false;
  const isPreferred = target?.ssl.mode === 'prefer' && ssl !== false;
  return {
    pgConfig: {
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      ...rest,
      ...(target === null ? {} : { connectionString: target.connectionString, ssl }),
      ...(target?.ssl.isDirect === true ? { sslnegotiation: 'direct' as const } : {}),
      ...(isPreferred ? { connection: preferTls(ssl) } : {}),
    },
    settings: sessionSettings({
      statementTimeoutMs: statement_timeout === false ? 0 : (statement_timeout ?? 0),
      idleInTransactionMs: idle_in_transaction_session_timeout ?? 0,
      schema: target?.schema ?? null,
    }),
    target,
    attempt,
    attemptCount: attempts.length,
    problem,
  };
}

function explain(error: unknown, target: DatabaseUrl | null): unknown {
  if (!(error instanceof Error)) return error;
  if (CERTIFICATE.test(errorCode(error)) && target !== null) {
    const message =
      `The certificate of the database is not accepted (${describeSsl(target.ssl)}): ${error.message}. Name the file of the CA that ` +
      'signed it as sslrootcert=/path/of/ca.crt in DATABASE_URL, and for sslmode=verify-full the host name ' +
      'that it was issued for. On Kubernetes deploy/components/private-ca mounts the file.';
    return new DatabaseSetupError(message, { cause: error });
  }
  if (NO_SSL.test(error.message) && target !== null) {
    const message =
      `The database does not offer TLS, which DATABASE_URL requires (${describeSsl(target.ssl)}): ${error.message}. Enable TLS on ` +
      'the server (ssl = on), or use sslmode=prefer or sslmode=disable.';
    return new DatabaseSetupError(message, { cause: error });
  }
  if (STARTUP_PARAMETER.test(error.message)) {
    const message =
      `A pooler between Graft and PostgreSQL refuses the connection: ${error.message}. Remove the parameter from DATABASE_URL, or add it ` +
      'to ignore_startup_parameters of PgBouncer.';
    return new DatabaseSetupError(message, { cause: error });
  }
  return error;
}
