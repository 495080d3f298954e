import { fileURLToPath } from 'node:url';
import type { Pool } from 'pg';
import type { PrismaClient } from '../../prisma/client/client.ts';
import { createStore } from '../../services/coordinator/store/store.ts';
import { createPool } from '../../services/platform/db/pool.ts';
import { createLogger } from '../../services/platform/telemetry/logger.ts';
import { readPrismaSchema } from './prisma-schema.ts';
import { insertSampleRecord } from './sample-record.ts';

const FIELDS = readPrismaSchema(fileURLToPath(new URL('../../prisma/schema.prisma', import.meta.url))).fields;

/** Instants in New York: in winter, in the hour that occurs twice, and in the hour that is skipped; also in 2040. */
const INSTANTS = [
  '2026-01-15T12:34:56.789Z',
  '2026-11-01T05:30:00.001Z',
  '2026-03-08T07:30:00.000Z',
  '2040-07-01T00:00:00.500Z',
];

interface Column {
  readonly table_name: string;
  readonly column_name: string;
  readonly data_type: string;
}

export interface TimeComparison {
  /** All time columns of the database as `table.column`, with their types. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Columns in which SQL, pg or Prisma read another instant than was written. */
  readonly wrong: readonly unknown[];
}

/**
 * Writes instants into every time column of a migrated, empty database, by Prisma, pg and SQL in turn, and compares what SQL, pg and
 * Prisma read. The columns are read from the database, so new ones are included.
 */
export async function compareTimeColumns(databaseUrl: string): Promise<TimeComparison> {
  const log = createLogger('test', 'silent');
  const pool = createPool(databaseUrl, { applicationName: 'test', log });
  const { prisma } = createStore({ pool, log, leaseMs: 1_000 });
  try {
    await insertSampleRecord(prisma);
    const columns = await timeColumns(pool);
    const wrong: unknown[] = [];
    for (const column of columns) {
      for (const instant of INSTANTS) wrong.push(...(await compareColumn(pool, prisma, column, new Date(instant))));
    }
    const named = columns.map(({ table_name, column_name, data_type }) => ({
      name: `${table_name}.${column_name}`,
      type: data_type,
    }));
    return { columns: named, wrong };
  } finally {
    await prisma.$disconnect();
    await pool.end();
  }
}

async function timeColumns(pool: Pool): Promise<readonly Column[]> {
  const { rows } = await pool.query<Column>(
    `SELECT table_name, column_name, data_type
       FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
      WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name <> '_prisma_migrations'
        AND data_type ~ '^(timestamp|time|date|interval)' ORDER BY 1, 2`,
  );
  return rows;
}

async function compareColumn(pool: Pool, prisma: PrismaClient, column: Column, instant: Date): Promise<unknown[]> {
  const table = `"${column.table_name}"`;
  const name = `"${column.column_name}"`;
  const { delegate, field } = fieldOf(prisma, column);
  const wrong: unknown[] = [];
  if ((await delegate.count()) === 0)
    throw new Error(`${column.table_name} has no row: sample-record.ts must have one`);
  const check = async (writer: string, expected: Date): Promise<void> => {
    const sql = await pool.query<{ ms: number; at: Date }>(
      `SELECT DISTINCT round(extract(epoch FROM ${name}) * 1000)::float8 AS ms, ${name} AS at FROM ${table}`,
    );
    const rows = await delegate.findMany({ select: { [field]: true }, distinct: [field] });
    const found = {
      sql: sql.rows.map(({ ms }) => ms),
      pg: sql.rows.map(({ at }) => at.getTime()),
      prisma: rows.map((row) => row[field]?.getTime()),
    };
    const ms = [expected.getTime()];
    const right = { sql: ms, pg: ms, prisma: ms };
    if (JSON.stringify(found) !== JSON.stringify(right)) wrong.push({ column, writer, expected, found });
  };
  await delegate.updateMany({ data: { [field]: instant } });
  await check('Prisma', instant);
  const later = new Date(instant.getTime() + 7);
  await pool.query(`UPDATE ${table} SET ${name} = $1`, [later]);
  await check('pg', later);
  await pool.query(`UPDATE ${table} SET ${name} = to_timestamp($1::float8 / 1000)`, [instant.getTime()]);
  await check('SQL', instant);
  if ((await delegate.count({ where: { [field]: { lte: instant } } })) === 0)
    wrong.push({ column, comparedBy: 'Prisma', instant });
  return wrong;
}

/** Returns Prisma's names of a column. */
function fieldOf(prisma: PrismaClient, { table_name, column_name }: Column) {
  const found = FIELDS.find(({ table, column }) => table === table_name && column === column_name);
  if (found === undefined) throw new Error(`${table_name}.${column_name} is not in schema.prisma`);
  const { model, field } = found;
  const name = `${model.charAt(0).toLowerCase()}${model.slice(1)}`;
  return { delegate: prisma[name as 'token'], field: field as 'expireTime' };
}
