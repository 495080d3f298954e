import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { applyMigrations } from '../../services/platform/db/apply-migrations.ts';
import { findMigrationsDirectory } from '../../services/platform/db/read-migrations.ts';
import { createTestDatabase } from './database.ts';
import type { TestDatabase } from './database.ts';

/** Tables whose rows a version before would have, those that others refer to first. */
const TABLES = [
  'cluster',
  'datasets',
  'sweeps',
  'trainers',
  'slots',
  'runs',
  'tasks',
  'task_runs',
  'task_dependencies',
  'feature_sets',
  'task_feature_sets',
  'attempts',
  'checkpoints',
  'epoch_metrics',
  'test_results',
  'test_class_results',
  'test_predictions',
  'events',
] as const;

/**
 * Returns a database as an upgrade leaves it: made by the migrations before the one given, filled with what another database has of its
 * columns, and then migrated.
 *
 * @param before the first migration that the rows have never seen
 */
export async function agedDatabase(url: string, before: string): Promise<TestDatabase> {
  const database = await createTestDatabase({ migrated: false });
  const directory = mkdtempSync(join(tmpdir(), 'graft-old-migrations-'));
  try {
    const migrations = findMigrationsDirectory();
    for (const name of readdirSync(migrations).filter((name) => name < before)) {
      cpSync(join(migrations, name), join(directory, name), { recursive: true });
    }
    await applyMigrations(database.url, { directory });
  } finally {
    rmSync(directory, { recursive: true });
  }
  const [source, target] = [new pg.Client(url), new pg.Client(database.url)];
  await Promise.all([source.connect(), target.connect()]);
  try {
    for (const table of TABLES) await copyRows(source, target, table);
  } finally {
    await Promise.all([source.end(), target.end()]);
  }
  await applyMigrations(database.url);
  return database;
}

/** Copies the rows of a table with the columns that the target has. */
async function copyRows(source: pg.Client, target: pg.Client, table: string): Promise<void> {
  const { rows: columns } = await target.query<{ name: string }>(
    `SELECT quote_ident(column_name) AS name FROM information_schema.columns
      WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'`,
    [table],
  );
  const names = columns.map(({ name }) => name).join(', ');
  // Some tables are born with a row.
  await target.query(`DELETE FROM ${table}`);
  const { rows } = await source.query<{ rows: string }>(
    `SELECT coalesce(json_agg(t), '[]')::text AS rows FROM ${table} t`,
  );
  await target.query(
    `INSERT INTO ${table} (${names}) OVERRIDING SYSTEM VALUE SELECT ${names} FROM json_populate_recordset(NULL::${table}, $1)`,
    [rows[0]?.rows],
  );
  const { rows: numbered } = await target.query<{ name: string; sequence: string }>(
    `SELECT quote_ident(column_name) AS name, pg_get_serial_sequence($1, column_name) AS sequence FROM information_schema.columns
      WHERE table_schema = 'public' AND table_name = $1 AND pg_get_serial_sequence($1, column_name) IS NOT NULL`,
    [table],
  );
  for (const { name, sequence } of numbered) {
    await target.query(`SELECT setval($1, (SELECT coalesce(max(${name}), 1) FROM ${table}))`, [sequence]);
  }
}
