import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { dumpSchema } from '../../support/dump-schema.ts';
import { whyNoReader } from '../../support/reader-role.ts';

const GOLDEN = fileURLToPath(new URL('../../../prisma/schema.sql', import.meta.url));

beforeAll(databaseServerStarted);

test('matches the migrations with prisma/schema.sql, which creates the same schema in an empty database', async (context) => {
  await using migrated = await createTestDatabase();
  const why = await whyNoReader(migrated.url);
  context.skip(why !== null, why ?? '');
  const dump = await dumpSchema(migrated.url);
  await expect(dump).toMatchFileSnapshot(GOLDEN);
  await using loaded = await createTestDatabase({ migrated: false });
  await runOn(loaded.url, [dump]);
  expect(await dumpSchema(loaded.url)).toBe(dump);
});

test('gives every table, view, function and column a comment', async () => {
  await using migrated = await createTestDatabase();
  const [relations, columns, functions] = await runOn(migrated.url, [
    `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
        AND relname <> '_prisma_migrations' AND obj_description(oid, 'pg_class') IS NULL`,
    `SELECT relname, attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') AND relname <> '_prisma_migrations'
        AND attnum > 0 AND NOT attisdropped AND col_description(c.oid, attnum) IS NULL`,
    `SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL`,
  ]);
  expect({ relations, columns, functions }).toEqual({ relations: [], columns: [], functions: [] });
});
