import { fileURLToPath } from 'node:url';
import type { Pool } from 'pg';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PrismaClient } from '../../../prisma/client/client.ts';
import { createStore } from '../../../services/coordinator/store/store.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { readPrismaSchema } from '../../support/prisma-schema.ts';
import { insertSampleRecord } from '../../support/sample-record.ts';

const log = createLogger('test', 'silent');
const FIELDS = readPrismaSchema(fileURLToPath(new URL('../../../prisma/schema.prisma', import.meta.url))).fields;
const processZone = process.env['TZ'];

/** In New York: a time of winter, one of the hour that comes twice, and one of the hour that is left out. In 2040 as well. */
const INSTANTS = [
  '2026-01-15T12:34:56.789Z',
  '2026-11-01T05:30:00.001Z',
  '2026-03-08T07:30:00.000Z',
  '2040-07-01T00:00:00.500Z',
];

/** What an administrator may have set, and the zone of the process. */
const SETTINGS = [
  { zone: 'America/New_York', dateStyle: 'ISO, MDY', processZone: 'Asia/Kolkata' },
  { zone: 'Asia/Kolkata', dateStyle: 'German', processZone: 'America/New_York' },
  { zone: 'UTC', dateStyle: 'SQL, DMY', processZone: 'Pacific/Chatham' },
] as const;

interface Column {
  readonly table_name: string;
  readonly column_name: string;
  readonly data_type: string;
}

beforeAll(databaseServerStarted);

afterEach(() => {
  if (processZone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = processZone;
});

async function timeColumns(pool: Pool): Promise<readonly Column[]> {
  const { rows } = await pool.query<Column>(
    `SELECT table_name, column_name, data_type FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
      WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name <> '_prisma_migrations'
        AND data_type ~ '^(timestamp|time|date|interval)' ORDER BY 1, 2`,
  );
  return rows;
}

function fieldOf(prisma: PrismaClient, { table_name, column_name }: Column) {
  const found = FIELDS.find(({ table, column }) => table === table_name && column === column_name);
  if (found === undefined) throw new Error(`${table_name}.${column_name} is not in schema.prisma`);
  const { model, field } = found;
  const name = `${model.charAt(0).toLowerCase()}${model.slice(1)}`;
  return { delegate: prisma[name as 'token'], field: field as 'expireTime' };
}

describe.each(SETTINGS)('with sessions in $zone and $dateStyle, and a process in $processZone', (setting) => {
  test('every time column is the same instant to SQL, pg and Prisma, whoever writes it', async () => {
    process.env['TZ'] = setting.processZone;
    await using database = await createTestDatabase();
    await runOn(database.url, [
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO ''${setting.zone}''', current_database()); END $$`,
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle TO ''${setting.dateStyle}''', current_database()); END $$`,
    ]);
    const [shown] = await runOn(database.url, ['SHOW timezone']);
    expect(shown).toEqual([{ TimeZone: setting.zone }]);
    const pool = createPool(database.url, { applicationName: 'test', log });
    const { prisma } = createStore({ pool, log, leaseMs: 1_000 });
    try {
      await insertSampleRecord(prisma);
      const columns = await timeColumns(pool);
      expect(columns.length).toBeGreaterThanOrEqual(32);
      const wrong: unknown[] = [];
      for (const column of columns) {
        expect(column.data_type, `${column.table_name}.${column.column_name}`).toBe('timestamp with time zone');
        const table = `"${column.table_name}"`;
        const name = `"${column.column_name}"`;
        const { delegate, field } = fieldOf(prisma, column);
        /** Milliseconds of all rows as SQL, pg and Prisma read them. */
        const read = async (): Promise<unknown> => {
          const sql = await pool.query<{ ms: number; at: Date }>(
            `SELECT DISTINCT round(extract(epoch FROM ${name}) * 1000)::float8 AS ms, ${name} AS at FROM ${table}`,
          );
          const rows = await delegate.findMany({ select: { [field]: true }, distinct: [field] });
          return {
            sql: sql.rows.map(({ ms }) => ms),
            pg: sql.rows.map(({ at }) => at.getTime()),
            prisma: rows.map((row) => row[field]?.getTime()),
          };
        };
        const check = async (how: string, instant: Date): Promise<void> => {
          const ms = instant.getTime();
          const found = await read();
          const right = { sql: [ms], pg: [ms], prisma: [ms] };
          if (JSON.stringify(found) !== JSON.stringify(right)) wrong.push({ column, how, instant, found });
        };
        for (const instant of INSTANTS.map((text) => new Date(text))) {
          await delegate.updateMany({ data: { [field]: instant } });
          await check('written by Prisma', instant);
          const later = new Date(instant.getTime() + 7);
          await pool.query(`UPDATE ${table} SET ${name} = $1`, [later]);
          await check('written by pg', later);
          await pool.query(`UPDATE ${table} SET ${name} = to_timestamp($1::float8 / 1000)`, [instant.getTime()]);
          await check('written by SQL', instant);
          const count = await delegate.count({ where: { [field]: { lte: instant } } });
          if (count === 0) wrong.push({ column, how: 'compared by Prisma', instant });
        }
      }
      expect(wrong).toEqual([]);
    } finally {
      await prisma.$disconnect();
      await pool.end();
    }
  });
});
