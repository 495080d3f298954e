import pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';

beforeAll(databaseServerStarted);

test('two test databases are apart, migrated, and gone when dropped', async () => {
  const first = await createTestDatabase();
  const second = await createTestDatabase();
  try {
    await runOn(first.url, [`INSERT INTO trainers VALUES ('t1', 'host', '1', '2', 'READY')`]);
    expect(await runOn(first.url, ['SELECT trainer_id FROM trainers'])).toEqual([[{ trainer_id: 't1' }]]);
    expect(await runOn(second.url, ['SELECT trainer_id FROM trainers'])).toEqual([[]]);
  } finally {
    await first.drop();
    await first.drop();
    await second.drop();
  }
  await expect(runOn(first.url, ['SELECT 1'])).rejects.toBeInstanceOf(pg.DatabaseError);
});

test('a database can be had without tables', async () => {
  await using empty = await createTestDatabase({ migrated: false });
  const query = `SELECT count(*)::int AS tables FROM pg_tables WHERE schemaname = 'public'`;
  expect(await runOn(empty.url, [query])).toEqual([[{ tables: 0 }]]);
});
