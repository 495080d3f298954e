import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { openClient } from './database-client.ts';
import type { DatabaseClientConfig } from './database-client.ts';
import { DatabaseSetupError } from './database-setup-error.ts';

const OLDEST_MAJOR = 15;
const VERSION_UNIT = 10_000;

/** A custom setting that no pooler knows, so that it exists only in the server session. */
const MARK = 'graft.session_mark';
const READ_MARK = `SELECT current_setting('${MARK}', true) AS mark`;
/**
 * Number of checks. A pooler in transaction mode occasionally assigns the same server session; a dedicated session
 * never fails.
 */
const ROUNDS = 5;
/** Time limit of a reply while another session holds a transaction open; a pool of one session never replies. */
const ANSWER_MS = 2_000;

const POOLED =
  'The connection goes through a pooler that assigns a session per transaction or statement (PgBouncer: pool_mode = ' +
  'transaction or statement). Graft needs sessions: for notifications, locks, prepared statements and session settings. Connect ' +
  'to PostgreSQL directly, or set pool_mode = session for this database in pgbouncer.ini.';

/** Facts that the check reads from the server. */
export interface DatabaseFacts {
  readonly database: string;
  readonly encoding: string;
  /** Server version as in `server_version_num`, for example 150018. */
  readonly version: number;
  /** The first existing schema of the search path; null if there is none. */
  readonly schema: string | null;
  readonly searchPath: string;
  readonly replicationRole: string;
  readonly isStandby: boolean;
  readonly role: string;
}

/**
 * Checks that a database is usable: version, encoding, schema, write access, and that a connection is one session.
 *
 * @returns the schema that contains Graft's tables.
 * @throws {DatabaseSetupError} when it is not usable; the message names what was found and how to fix it.
 */
export async function checkDatabase(client: pg.ClientBase, config: DatabaseClientConfig): Promise<string> {
  const { rows } = await client.query<DatabaseFacts>(
    `SELECT current_database() AS database, current_setting('server_encoding') AS encoding,
            current_setting('server_version_num')::int AS version, current_schema() AS schema,
            current_setting('search_path') AS "searchPath", current_setting('session_replication_role') AS "replicationRole",
            pg_is_in_recovery() AS "isStandby", current_user AS role`,
  );
  const [facts] = rows;
  const problem = facts && problemOf(facts);
  if (problem) throw new DatabaseSetupError(problem);
  await checkSession(client, config);
  return facts?.schema ?? '';
}

/** Returns a message that names the obstacle to using the database and its remedy; null if there is none. */
export function problemOf(facts: DatabaseFacts): string | null {
  const { database, encoding, version, schema, searchPath, replicationRole, isStandby, role } = facts;
  if (version < OLDEST_MAJOR * VERSION_UNIT) {
    const found = `${Math.floor(version / VERSION_UNIT)}.${version % VERSION_UNIT}`;
    return `The server is PostgreSQL ${found}; Graft needs ${OLDEST_MAJOR} or later.`;
  }
  if (encoding !== 'UTF8') {
    return (
      `The database "${database}" has the encoding ${encoding}, which can't represent every name and path; Graft needs UTF8. An ` +
      `encoding can't be changed afterwards: create another database with CREATE DATABASE graft ENCODING 'UTF8' TEMPLATE template0 ` +
      '(with LC_COLLATE and LC_CTYPE that allow it, for example C.UTF-8), and name it in DATABASE_URL.'
    );
  }
  if (isStandby)
    return `The server of "${database}" is a standby, which can't be written to. Name the primary in DATABASE_URL.`;
  if (replicationRole !== 'origin') {
    return (
      `session_replication_role is ${replicationRole} for the role ${role}, which disables triggers. Reset it with ` +
      `ALTER ROLE ${role} RESET session_replication_role (and ALTER DATABASE ${database} RESET …).`
    );
  }
  if (schema === null) {
    return (
      `None of the schemas of search_path (${searchPath}) exists in "${database}", or ${role} may not use it. Run CREATE SCHEMA … ` +
      `AUTHORIZATION ${role}, or name another schema with ?schema=… in DATABASE_URL or ALTER ROLE ${role} SET search_path = ….`
    );
  }
  return null;
}

/**
 * Marks the session of `client`. Then checks, while another client's transaction is open, that neither client is
 * assigned the other's session. With dedicated sessions this can't happen, however slow the server is.
 */
async function checkSession(client: pg.ClientBase, config: DatabaseClientConfig): Promise<void> {
  const mark = randomUUID();
  await client.query(`SELECT set_config('${MARK}', $1, false)`, [mark]);
  const other = await openClient(config);
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      await other.query('BEGIN').catch((error: unknown) => {
        throw isStatementMode(error) ? new DatabaseSetupError(POOLED, { cause: error }) : error;
      });
      if ((await readMark(other)) === mark) throw new DatabaseSetupError(POOLED);
      const own = readMark(client);
      const answered = await answersIn(own, ANSWER_MS);
      await other.query('ROLLBACK');
      // A pool of one session replies only now. A slow dedicated session still has its mark.
      if ((await own) !== mark) throw new DatabaseSetupError(POOLED);
      if (!answered) break;
    }
  } finally {
    await other.end().catch(() => undefined);
  }
}

async function readMark(client: pg.ClientBase): Promise<string | null> {
  const { rows } = await client.query<{ mark: string | null }>(READ_MARK);
  return rows[0]?.mark ?? null;
}

async function answersIn(answer: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(timeoutMs, false, { signal: timer.signal }).catch(() => false);
  const isInTime = await Promise.race([answer.then(() => true), late]);
  timer.abort();
  return isInTime;
}

function isStatementMode(error: unknown): boolean {
  return error instanceof Error && /statement pooling mode/.test(error.message);
}
