import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { openClient } from './database-client.ts';
import type { DatabaseClientConfig } from './database-client.ts';
import { DatabaseSetupError } from './database-setup-error.ts';

const OLDEST_MAJOR = 15;
const VERSION_UNIT = 10_000;

/** A setting of our own that no pooler knows: it lives in the server's session and nowhere else. */
const MARK = 'graft.session_mark';
const READ_MARK = `SELECT current_setting('${MARK}', true) AS mark`;
/** A pooler in transaction mode gives the same server session back now and then; a session of our own never fails. */
const ROUNDS = 5;
/** How long an answer may take while another session holds a transaction open; a pool of one session never gives it. */
const ANSWER_MS = 2_000;

const POOLED =
  'The connection goes through a pooler that gives each transaction or statement another session (PgBouncer: pool_mode = ' +
  'transaction or statement). Graft needs sessions: for notifications, locks, prepared statements and session settings. Connect ' +
  'to PostgreSQL directly, or set pool_mode = session for this database in pgbouncer.ini.';

/** What the check reads. */
export interface DatabaseFacts {
  readonly database: string;
  readonly encoding: string;
  /** As `server_version_num`, for example 150018. */
  readonly version: number;
  /** The first schema of the search path that exists; null: there is none. */
  readonly schema: string | null;
  readonly searchPath: string;
  readonly replicationRole: string;
  readonly isStandby: boolean;
  readonly role: string;
}

/**
 * Checks that a database can be used: version, encoding, schema, that it can be written to, and that a connection is one session.
 *
 * @returns the schema that Graft's tables are in.
 * @throws DatabaseSetupError naming what was found and how to fix it.
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

/** @returns what stands in the way of using the database and how to fix it; null: nothing. */
export function problemOf(facts: DatabaseFacts): string | null {
  const { database, encoding, version, schema, searchPath, replicationRole, isStandby, role } = facts;
  if (version < OLDEST_MAJOR * VERSION_UNIT) {
    const found = `${Math.floor(version / VERSION_UNIT)}.${version % VERSION_UNIT}`;
    return `The server is PostgreSQL ${found}; Graft needs ${OLDEST_MAJOR} or later.`;
  }
  if (encoding !== 'UTF8') {
    return (
      `The database "${database}" has the encoding ${encoding}, which can't hold every name and path; Graft needs UTF8. An ` +
      `encoding can't be changed afterwards: make another database with CREATE DATABASE graft ENCODING 'UTF8' TEMPLATE template0 ` +
      '(with LC_COLLATE and LC_CTYPE that allow it, for example C.UTF-8), and name it in DATABASE_URL.'
    );
  }
  if (isStandby)
    return `The server of "${database}" is a standby, which can't be written to. Name the primary in DATABASE_URL.`;
  if (replicationRole !== 'origin') {
    return (
      `session_replication_role is ${replicationRole} for the role ${role}, which turns triggers off. Take it back with ` +
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
 * Marks the session of `client`, and looks whether another client is given that session, or `client` another one, while the other
 * client's transaction is open. Between a client and a session of its own neither can happen, however slow the server is.
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
      // A pool of one session answers only now. A session of its own that is slow still has its mark.
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
