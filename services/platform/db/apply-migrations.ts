import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { checkDatabase } from './check-database.ts';
import { openClient } from './database-client.ts';
import { parseDatabaseUrl } from './database-url.ts';
import { errorCode, toDatabaseError } from './database-error.ts';
import { MigrationError } from './migration-error.ts';
import { findMigrationsDirectory, hasChecksum, readMigrations } from './read-migrations.ts';
import type { Migration } from './read-migrations.ts';

/** The lock number of Prisma's schema engine, so that `prisma migrate` and this runner exclude each other. */
const ADVISORY_LOCK = 72707369;
const LOCK_TIMEOUT_MS = 120_000;
const LOCK_NOT_AVAILABLE = '55P03';
/** Unique violation in a catalog, and duplicate schema. */
const ALREADY_THERE: ReadonlySet<string> = new Set(['23505', '42P06']);
/** The schema named by the migrations up to 20261130010000_schema where they mean the schema they are applied to. */
const NAMED_SCHEMA = 'public';

/** Same definition as in Prisma's schema engine. */
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
  /** Folder of the migrations; default: `prisma/migrations` of this version of Graft. */
  readonly directory?: string;
  /** Called with the name of each migration after it has been applied. */
  readonly onApplied?: (name: string, seconds: number) => void;
  /** Called with each notice of a migration (RAISE NOTICE or WARNING). */
  readonly onNotice?: (message: string) => void;
  /** Maximum wait for another migrating process, in milliseconds; default 120 000. */
  readonly lockTimeoutMs?: number;
}

export interface MigrationStatus {
  /** Migration names, in order. */
  readonly applied: readonly string[];
  /** Migration names, in order. */
  readonly pending: readonly string[];
}

/**
 * Migrates a database to the version of this code. Each migration that `_prisma_migrations` lacks is applied in a
 * transaction together with its row. An advisory lock serialises concurrent processes. Afterwards `prisma migrate
 * status` reports nothing to do. The tables are created in the schema of `?schema=`, which is created if missing; by
 * default in the first existing schema of `search_path`.
 *
 * @returns names of the migrations applied by this call, in order.
 * @throws {MigrationError} when a migration can't be applied; {DatabaseSetupError} when the database is unsuitable;
 * {DatabaseUnavailableError} when it can't be reached.
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
 * Returns the applied and the pending migrations of a database; changes nothing.
 *
 * @throws {MigrationError} when the database can't be migrated to this version; {DatabaseSetupError} when it is
 * unsuitable; {DatabaseUnavailableError} when it can't be reached.
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
    // Ends the session, which releases the advisory lock.
    await client?.end().catch(() => undefined);
  }
}

function configOf(url: string): pg.ClientConfig {
  return { connectionString: url, application_name: 'graft-migrate' };
}

/** Returns whether `?schema=` names a schema that does not exist. */
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
    // Another process may be creating it concurrently.
    if (!ALREADY_THERE.has(errorCode(error))) throw error;
  }
}

/** Returns the migration rewritten for a schema; its checksum remains that of the file. */
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
      `Another process has been migrating this database for more than ${timeoutMs / 1000} s. Wait for it, or find it in ` +
      `pg_stat_activity as 'graft-migrate' and end it with pg_terminate_backend(pid).`;
    throw new MigrationError('LOCKED', [], message, { cause: error });
  }
  await client.query(`SET lock_timeout = 0`);
}

interface Row {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

/** Reads the table in the current schema; another schema of the search path may contain another program's. */
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
      `The database is newer than this version of Graft (${migrations.at(-1)?.name ?? 'no migrations'}): it contains ` +
      `${unknown.join(', ')}. Use the newer version, or another database.`;
    throw new MigrationError('NEWER', unknown, message);
  }
  const unfinished = rows.filter((row) => !row.finished).map((row) => row.migration_name);
  if (unfinished.length > 0) {
    const message =
      `${unfinished.join(', ')} was started by another tool and not finished. Check the database, then run ` +
      `'prisma migrate resolve --rolled-back NAME' (if none of it is applied) or '--applied NAME' (if all of it is).`;
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
      `Migrations were changed after they were applied:\n${lines.join('\n')}\n` +
      `Restore the files and add a new migration for the change, or use another database.`;
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
    // Without parameters, the file is sent as one message of many statements.
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

/** Adds the line number, because PostgreSQL reports an offset from the beginning of the file. */
function explain(migration: Migration, error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const place = error.position === undefined ? '' : `, line ${lineAt(migration.sql, Number(error.position))}`;
  const more = [error.detail, error.hint].filter((text) => text !== undefined).map((text) => ` ${text}`);
  const message = `${migration.name}/migration.sql${place}: ${error.message}.${more.join('')} This migration was rolled back.`;
  return new MigrationError('FAILED', [migration.name], message, { cause: error });
}

function lineAt(sql: string, position: number): number {
  return (
    Array.from(sql)
      .slice(0, position - 1)
      .filter((character) => character === '\n').length + 1
  );
}
