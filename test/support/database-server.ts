import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { applyMigrations } from '../../services/platform/db/apply-migrations.ts';
import { startEmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';
import { makeRunFolder } from './run-folder.ts';

/** The database server of a test run, with a migrated database to copy. */
export interface TestDatabaseServer {
  /** URL of a database in which CREATE DATABASE can be run. */
  readonly adminUrl: string;
  /** Name of the migrated database, to which no client may connect while it is copied. */
  readonly template: string;
  /** Prefix of the names of the run's databases. */
  readonly prefix: string;
}

export interface OwnedTestDatabaseServer extends TestDatabaseServer {
  /** Drops the run's databases; stops the server if this run started it. */
  stop(): Promise<void>;
}

/** Uses the server of DATABASE_URL, whose role must have CREATEDB; without it, starts an embedded server. */
export async function startTestDatabaseServer(): Promise<OwnedTestDatabaseServer> {
  const given = process.env['DATABASE_URL'] ?? '';
  if (given !== '') return prepare(given, () => Promise.resolve());
  const folder = await makeRunFolder();
  const removeFolder = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const output: string[] = [];
  try {
    const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log: (line) => output.push(line) });
    const stop = async (): Promise<void> => {
      await server.stop();
      await removeFolder();
    };
    try {
      await runOn(server.url, [
        // The data is temporary: speed matters, durability does not.
        'ALTER SYSTEM SET fsync = off',
        // A zone half an hour off UTC, as a user's server may have.
        `ALTER SYSTEM SET timezone = 'Asia/Kolkata'`,
        'SELECT pg_reload_conf()',
      ]);
      return await prepare(server.url, stop);
    } catch (error) {
      await stop();
      throw error;
    }
  } catch (error) {
    await removeFolder();
    throw new Error(`No database for the tests. Output of the server:\n${output.slice(-20).join('\n')}`, {
      cause: error,
    });
  }
}

async function prepare(adminUrl: string, stopServer: () => Promise<void>): Promise<OwnedTestDatabaseServer> {
  const prefix = `graft_test_${randomBytes(4).toString('hex')}`;
  const template = `${prefix}_template`;
  await runOn(adminUrl, [`CREATE DATABASE ${template}`]);
  await applyMigrations(urlOf(adminUrl, template));
  const stop = async (): Promise<void> => {
    await dropAll(adminUrl, prefix);
    await stopServer();
  };
  return { adminUrl, template, prefix, stop };
}

async function dropAll(adminUrl: string, prefix: string): Promise<void> {
  const [rows] = await runOn(adminUrl, [
    `SELECT quote_ident(datname) AS name FROM pg_database WHERE starts_with(datname, '${prefix}')`,
  ]);
  await runOn(
    adminUrl,
    (rows ?? []).map((row) => `DROP DATABASE IF EXISTS ${String(row['name'])} WITH (FORCE)`),
  );
}

/** Returns the URL of another database of the same server. */
export function urlOf(adminUrl: string, database: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/** Runs statements one by one on a new connection. @returns the rows of each. */
export async function runOn(url: string, statements: readonly string[]): Promise<Record<string, unknown>[][]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const results: Record<string, unknown>[][] = [];
    for (const statement of statements) {
      results.push((await client.query<Record<string, unknown>>(statement)).rows);
    }
    return results;
  } finally {
    await client.end();
  }
}
