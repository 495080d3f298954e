import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { checkDatabase } from './check-database.ts';
import { openClient } from './database-client.ts';
import { parseDatabaseUrl } from './database-url.ts';
import { errorCode, toDatabaseError } from './database-error.ts';
import { MigrationError } from './migration-error.ts';
import { findMigrationsDirectory, hasChecksum, readMigrations } from './read-migrations.ts';
import type { Migration } from './read-migrations.ts';

/** The same number as Prisma's schema engine, so that `prisma migrate` and this runner keep out of each other's way. */
const ADVISORY_LOCK = 72707369;
const LOCK_TIMEOUT_MS = 120_000;
const LOCK_NOT_AVAILABLE = '55P03';
/** Unique violation in a catalog, and its name. */
const ALREADY_THERE: ReadonlySet<string> = new Set(['23505', '42P06']);
/** The schema that the migrations up to 20261130010000_schema name where they mean the one that they are applied to. */
const NAMED_SCHEMA = 'public';

/** As Prisma's schema engine makes it. */
const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                  VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum            VARCHAR(64) NOT NULL,
    finished_at         TIMESTAMPTZ,
    migration_name      VARCHAR(255) NOT NULL,
    logs                TEXT,
    rolled_back_at      TIMESTAMPTZ,
    started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
)`;

export interface MigrateOptions {
  /** Default: `prisma/migrations` of this version of Graft. */
  readonly directory?: string;
  /** Told the name of each migration when it has been applied. */
  readonly onApplied?: (name: string, seconds: number) => void;
  /** Told what a migration has to say to a person who runs it (RAISE NOTICE or WARNING). */
  readonly onNotice?: (message: string) => void;
  /** How long to wait for another process that migrates, milliseconds; default 120 000. */
  readonly lockTimeoutMs?: number;
}

export interface MigrationStatus {
  /** Names, in order. */
  readonly applied: readonly string[];
  /** Names, in order. */
  readonly pending: readonly string[];
}

/**
 * Brings a database to the version of this code: applies what `_prisma_migrations` doesn't have yet, each migration in a
 * transaction with its row, under an advisory lock, so that any number of processes may call it at once. Afterwards
 * `prisma migrate status` finds nothing to do. The tables go into the schema of `?schema=`, which is made where it is missing, else
 * into the first one of `search_path` that exists.
 *
 * @returns names of the migrations applied by this call, in order.
 * @throws MigrationError, DatabaseSetupError, DatabaseUnavailableError
 */
export async function applyMigrations(url: string, options: MigrateOptions = {}): Promise<readonly string[]> {
  const migrations = readMigrations(options.directory ?? findMigrationsDirectory());
  return withClient(url, async (client) => {
    await createSchema(client, url);
    const schema = await checkDatabase(client, configOf(url));
    await lock(client, options.lockTimeoutMs ?? LOCK_TIMEOUT_MS);
    await client.query(CREATE_TABLE);
    const { pending } = compare(migrations, await readRows(client));
    for (const migration of pending) {
      const start = performance.now();
      await apply(client, inSchema(migration, schema), options.onNotice ?? (() => undefined));
      options.onApplied?.(migration.name, (performance.now() - start) / 1000);
    }
    return pending.map(({ name }) => name);
  });
}

/**
 * Says which migrations a database has and which it lacks; changes nothing.
 *
 * @throws MigrationError when the database can't be brought to this version, DatabaseSetupError, DatabaseUnavailableError
 */
export async function readMigrationStatus(url: string, directory?: string): Promise<MigrationStatus> {
  const migrations = readMigrations(directory ?? findMigrationsDirectory());
  return withClient(url, async (client) => {
    if (await lacksSchema(client, url)) return { applied: [], pending: migrations.map(({ name }) => name) };
    await checkDatabase(client, configOf(url));
    const { applied, pending } = compare(migrations, await readRows(client));
    return { applied: applied.map(({ name }) => name), pending: pending.map(({ name }) => name) };
  });
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  let client: pg.Client | undefined;
  try {
    client = await openClient(configOf(url));
    return await work(client);
  } catch (error) {
    throw toDatabaseError(error);
  } finally {
    // Ends the session, which gives the advisory lock back.
    await client?.end().catch(() => undefined);
  }
}

function configOf(url: string): pg.ClientConfig {
  return { connectionString: url, application_name: 'graft-migrate' };
}

/** Whether `?schema=` names a schema that does not exist. */
async function lacksSchema(client: pg.Client, url: string): Promise<boolean> {
  const { schema } = parseDatabaseUrl(url);
  if (schema === null) return false;
  const { rows } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
  return rows.length === 0;
}

async function createSchema(client: pg.Client, url: string): Promise<void> {
  if (!(await lacksSchema(client, url))) return;
  const { schema } = parseDatabaseUrl(url);
  try {
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${client.escapeIdentifier(schema ?? NAMED_SCHEMA)}`);
  } catch (error) {
    // Another process may be making it at this moment.
    if (!ALREADY_THERE.has(errorCode(error))) throw error;
  }
}

/** The migration for a schema; its checksum stays that of the file. */
function inSchema(migration: Migration, schema: string): Migration {
  if (schema === NAMED_SCHEMA || migration.name >= '20261130') return migration;
  const name = pg.escapeIdentifier(schema);
  const sql = migration.sql
    .replaceAll(`ON SCHEMA ${NAMED_SCHEMA} `, () => `ON SCHEMA ${name} `)
    .replaceAll(`'${NAMED_SCHEMA}'::regnamespace`, () => `${pg.escapeLiteral(name)}::regnamespace`)
    .replaceAll(`${NAMED_SCHEMA}.%I`, () => `${name.replaceAll('%', '%%').replaceAll("'", "''")}.%I`);
  return { ...migration, sql };
}

async function lock(client: pg.Client, timeoutMs: number): Promise<void> {
  await client.query(`SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', '0', false)`, [
    `${timeoutMs}ms`,
  ]);
  try {
    await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK]);
  } catch (error) {
    if (errorCode(error) !== LOCK_NOT_AVAILABLE) throw error;
    const message =
      `Another process has been migrating this database for more than ${timeoutMs / 1000} s. Wait for it, or look at ` +
      `pg_stat_activity for 'graft-migrate' and end it with pg_terminate_backend(pid).`;
    throw new MigrationError('LOCKED', [], message, { cause: error });
  }
  await client.query(`SET lock_timeout = 0`);
}

interface Row {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

/** Rows of the table in the current schema: another one of the search path may hold another program's. */
async function readRows(client: pg.Client): Promise<Row[]> {
  const { rows: tables } = await client.query<{ exists: boolean }>(
    `SELECT to_regclass(quote_ident(current_schema()) || '._prisma_migrations') IS NOT NULL AS exists`,
  );
  if (tables[0]?.exists !== true) return [];
  const { rows } = await client.query<Row>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY migration_name`,
  );
  return rows;
}

interface Comparison {
  readonly applied: readonly Migration[];
  readonly pending: readonly Migration[];
}

function compare(migrations: readonly Migration[], rows: readonly Row[]): Comparison {
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  const unknown = rows.map((row) => row.migration_name).filter((name) => !known.has(name));
  if (unknown.length > 0) {
    const message =
      `The database is newer than this version of Graft (${migrations.at(-1)?.name ?? 'no migrations'}): it has ` +
      `${unknown.join(', ')}. Use the newer version, or another database.`;
    throw new MigrationError('NEWER', unknown, message);
  }
  const unfinished = rows.filter((row) => !row.finished).map((row) => row.migration_name);
  if (unfinished.length > 0) {
    const message =
      `${unfinished.join(', ')} was begun by another tool and not finished. Look at the database, then run ` +
      `'prisma migrate resolve --rolled-back NAME' (nothing of it is there) or '--applied NAME' (all of it is).`;
    throw new MigrationError('UNFINISHED', unfinished, message);
  }
  const changed = rows.filter((row) => {
    const migration = known.get(row.migration_name);
    return migration !== undefined && !hasChecksum(migration, row.checksum);
  });
  if (changed.length > 0) {
    const lines = changed.map(
      (row) =>
        `  ${row.migration_name}: applied with SHA-256 ${row.checksum}, the file has ` +
        (known.get(row.migration_name)?.checksum ?? ''),
    );
    const message =
      `Migrations were changed after they had been applied:\n${lines.join('\n')}\n` +
      `Put the files back as they were and make a new migration for the change, or use another database.`;
    throw new MigrationError(
      'CHANGED',
      changed.map((row) => row.migration_name),
      message,
    );
  }
  const done = new Set(rows.map((row) => row.migration_name));
  return {
    applied: migrations.filter(({ name }) => done.has(name)),
    pending: migrations.filter(({ name }) => !done.has(name)),
  };
}

async function apply(client: pg.Client, migration: Migration, onNotice: (message: string) => void): Promise<void> {
  const id = randomUUID();
  const tell = ({ message }: { readonly message?: string | undefined }): void => onNotice(message ?? '');
  await client.query('BEGIN');
  try {
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES ($1, $2, $3, clock_timestamp())`,
      [id, migration.checksum, migration.name],
    );
    // Without parameters the file goes out as one message of many statements.
    client.on('notice', tell);
    await client.query(migration.sql).catch((error: unknown) => {
      throw explain(migration, error);
    });
    await client.query(
      `UPDATE _prisma_migrations SET finished_at = clock_timestamp(), applied_steps_count = 1 WHERE id = $1`,
      [id],
    );
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    client.off('notice', tell);
  }
}

/** Names the line, because PostgreSQL counts characters from the beginning of the file. */
function explain(migration: Migration, error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const place = error.position === undefined ? '' : `, line ${lineAt(migration.sql, Number(error.position))}`;
  const more = [error.detail, error.hint].filter((text) => text !== undefined).map((text) => ` ${text}`);
  const message = `${migration.name}/migration.sql${place}: ${error.message}.${more.join('')} Nothing of this migration was kept.`;
  return new MigrationError('FAILED', [migration.name], message, { cause: error });
}

function lineAt(sql: string, position: number): number {
  return (
    Array.from(sql)
      .slice(0, position - 1)
      .filter((character) => character === '\n').length + 1
  );
}
