import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { readPrismaSchema } from '../../support/prisma-schema.ts';

const schema = readPrismaSchema(fileURLToPath(new URL('../../../prisma/schema.prisma', import.meta.url)));
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

function sorted(rows: readonly unknown[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

test('has the tables and columns of schema.prisma, with type, nullability and default', async () => {
  const [columns] = await runOn(database.url, [
    `SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type,
            NOT a.attnotnull AS nullable, a.atthasdef AS "hasDefault"
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> '_prisma_migrations'
        AND a.attnum > 0 AND NOT a.attisdropped`,
  ]);
  expect(sorted(columns ?? [])).toEqual(sorted(schema.columns));
});

test('has the primary, unique and foreign keys and indexes of schema.prisma, with its names', async () => {
  const [keys] = await runOn(database.url, [
    `SELECT t.relname AS table, i.relname AS name,
            CASE WHEN x.indisprimary THEN 'primary' WHEN x.indisunique THEN 'unique' ELSE 'index' END AS kind,
            ARRAY(SELECT a.attname::text FROM unnest(x.indkey::int[]) WITH ORDINALITY AS k (attnum, place)
                    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum ORDER BY k.place) AS columns,
            '' AS target
       FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
      WHERE t.relnamespace = 'public'::regnamespace AND t.relname <> '_prisma_migrations' AND x.indpred IS NULL
        AND x.indexprs IS NULL
     UNION ALL
     SELECT t.relname, k.conname, 'foreign',
            ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS c (attnum, place)
                    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.attnum ORDER BY c.place),
            format('%s(%s)', k.confrelid::regclass, (
              SELECT string_agg(a.attname, ', ' ORDER BY c.place) FROM unnest(k.confkey) WITH ORDINALITY AS c (attnum, place)
                JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.attnum))
       FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid
      WHERE k.contype = 'f' AND t.relnamespace = 'public'::regnamespace
        AND k.confdeltype = 'a' AND k.confupdtype = 'a'`,
  ]);
  expect(sorted(keys ?? [])).toEqual(sorted(schema.keys));
});
