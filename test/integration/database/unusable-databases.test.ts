import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { applyMigrations, readMigrationStatus } from '../../../services/platform/db/apply-migrations.ts';
import { problemOf } from '../../../services/platform/db/check-database.ts';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { runOn, urlOf } from '../../support/database-server.ts';
import { startHarness } from '../coordinator/harness.ts';

beforeAll(databaseServerStarted);

test.each(['LATIN1', 'SQL_ASCII', 'EUC_JP'])(
  'a database with the encoding %s is refused by migrations and coordinators, with the statement that makes another',
  async (encoding) => {
    await using neighbour = await createTestDatabase({ migrated: false });
    const name = `graft_test_${encoding.toLowerCase()}_${randomBytes(4).toString('hex')}`;
    await runOn(neighbour.url, [
      `CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0`,
    ]);
    try {
      const url = urlOf(neighbour.url, name);
      const message = new RegExp(
        `"${name}" has the encoding ${encoding}.*needs UTF8.*CREATE DATABASE graft ENCODING 'UTF8'`,
        's',
      );
      await expect(applyMigrations(url)).rejects.toThrow(message);
      await expect(readMigrationStatus(url)).rejects.toThrow(message);
      await expect(startHarness({ databaseUrl: url })).rejects.toThrow(message);
      const [tables] = await runOn(url, [`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`]);
      expect(tables).toEqual([]);
    } finally {
      await runOn(neighbour.url, [`DROP DATABASE ${name} WITH (FORCE)`]);
    }
  },
);

test('triggers that the role has turned off are refused', async () => {
  await using database = await createTestDatabase();
  const name = new URL(database.url).pathname.slice(1);
  await runOn(database.url, [`ALTER DATABASE ${name} SET session_replication_role = replica`]);
  await expect(readMigrationStatus(database.url)).rejects.toThrow(/session_replication_role is replica.*RESET/s);
});

const USABLE = {
  database: 'graft',
  encoding: 'UTF8',
  version: 150_000,
  schema: 'public',
  searchPath: 'public',
  replicationRole: 'origin',
  isStandby: false,
  role: 'graft',
};

test('servers before 15 and standbys are refused', () => {
  expect(problemOf(USABLE)).toBeNull();
  expect(problemOf({ ...USABLE, version: 140_022 })).toBe('The server is PostgreSQL 14.22; Graft needs 15 or later.');
  expect(problemOf({ ...USABLE, isStandby: true })).toMatch(/standby.*Name the primary/);
});
