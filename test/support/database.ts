import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { inject } from 'vitest';
import { runOn, urlOf } from './database-server.ts';
import type { TestDatabaseServer } from './database-server.ts';

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  /** Drops the database, even if clients are connected. Repeated calls have no effect. */
  drop(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** False: without any table, for tests of the migrations. Default: true. */
  readonly migrated?: boolean;
}

/**
 * Creates a database for a test file or a test: a copy of the migrated template, in about 0.1 s. The server is that of DATABASE_URL,
 * else an embedded one that the test run starts once. Drop the database in `afterAll`, or use `await using`.
 */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const { adminUrl, template, prefix } = await askForServer();
  const name = `${prefix}_${randomBytes(6).toString('hex')}`;
  await runOn(adminUrl, [`CREATE DATABASE ${name} TEMPLATE ${options.migrated === false ? 'template0' : template}`]);
  const drop = async (): Promise<void> => {
    await runOn(adminUrl, [`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`]);
  };
  return { url: urlOf(adminUrl, name), drop, [Symbol.asyncDispose]: drop };
}

/** Starts the server, in `beforeAll` of files whose tests create databases: on a busy machine that takes longer than a test may. */
export async function databaseServerStarted(): Promise<void> {
  await askForServer();
}

async function askForServer(): Promise<TestDatabaseServer> {
  const socket = connect(inject('databaseSocket'));
  const answer = JSON.parse(await text(socket)) as TestDatabaseServer | { readonly error: string };
  if ('error' in answer) throw new Error(answer.error);
  return answer;
}
