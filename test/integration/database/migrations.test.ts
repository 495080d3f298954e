import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrate } from '../../../services/migrate/migrate.ts';
import { applyMigrations, readMigrationStatus } from '../../../services/platform/db/apply-migrations.ts';
import { DatabaseUnavailableError } from '../../../services/core/errors.ts';
import { findMigrationsDirectory } from '../../../services/platform/db/read-migrations.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';

let database: TestDatabase;
let directory: string;

beforeEach(async () => {
  database = await createTestDatabase({ migrated: false });
  directory = mkdtempSync(join(tmpdir(), 'graft-migrations-'));
});

afterEach(async () => {
  rmSync(directory, { recursive: true });
  await database.drop();
});

function write(name: string, sql: string): void {
  mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(join(directory, name, 'migration.sql'), sql);
}

async function rows(query: string): Promise<Record<string, unknown>[]> {
  return (await runOn(database.url, [query]))[0] ?? [];
}

describe('applying', () => {
  test('each migration once, in order, with its row as Prisma writes it', async () => {
    write('2_second', `INSERT INTO a VALUES ('; it''s')`);
    write('1_first', 'CREATE TABLE a (x text); -- a comment; with a semicolon\nCREATE INDEX a_x_idx ON a(x);');
    expect(await applyMigrations(database.url, { directory })).toEqual(['1_first', '2_second']);
    expect(await rows('SELECT x FROM a')).toEqual([{ x: `; it's` }]);
    expect(
      await rows(
        `SELECT migration_name, checksum, applied_steps_count, logs, rolled_back_at, finished_at >= started_at AS finished,
                id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' AS has_uuid
           FROM _prisma_migrations ORDER BY started_at`,
      ),
    ).toEqual(
      ['1_first', '2_second'].map((name) => ({
        migration_name: name,
        checksum: createHash('sha256')
          .update(readFileSync(join(directory, name, 'migration.sql')))
          .digest('hex'),
        applied_steps_count: 1,
        logs: null,
        rolled_back_at: null,
        finished: true,
        has_uuid: true,
      })),
    );
    write('3_third', 'CREATE TABLE c ()');
    expect(await applyMigrations(database.url, { directory })).toEqual(['3_third']);
    expect(await applyMigrations(database.url, { directory })).toEqual([]);
  });

  test('five at once: one applies, the others wait and find it done', async () => {
    write('1_slow', 'SELECT pg_sleep(0.3); CREATE TABLE a ();');
    const results = await Promise.all([1, 2, 3, 4, 5].map(() => applyMigrations(database.url, { directory })));
    expect(results.flat()).toEqual(['1_slow']);
    expect(await rows('SELECT count(*)::int AS rows FROM _prisma_migrations')).toEqual([{ rows: 1 }]);
  });

  test('a failing migration leaves nothing, names its line, and the ones before it stay', async () => {
    write('1_good', 'CREATE TABLE a ()');
    write('2_bad', '-- Ä\nCREATE TABLE b ();\n\nCREATE TABEL c ();\n');
    await expect(applyMigrations(database.url, { directory })).rejects.toMatchObject({
      name: 'MigrationError',
      code: 'FAILED',
      message: expect.stringContaining('2_bad/migration.sql, line 4: syntax error at or near "TABEL"') as string,
    });
    expect(await readMigrationStatus(database.url, directory)).toEqual({ applied: ['1_good'], pending: ['2_bad'] });
    expect(await rows(`SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)).toEqual([
      { tablename: '_prisma_migrations' },
      { tablename: 'a' },
    ]);
    write('2_bad', 'CREATE TABLE c ();');
    expect(await applyMigrations(database.url, { directory })).toEqual(['2_bad']);
  });

  test('gives up when another process holds the lock for too long', async () => {
    write('1_first', 'CREATE TABLE a ()');
    const other = new pg.Client({ connectionString: database.url });
    await other.connect();
    await other.query('SELECT pg_advisory_lock(72707369)');
    await expect(applyMigrations(database.url, { directory, lockTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'LOCKED',
    });
    await other.end();
    expect(await applyMigrations(database.url, { directory })).toEqual(['1_first']);
  });
});

describe('refusing', () => {
  test('a migration that was changed after it had been applied, but not for its line ends', async () => {
    write('1_first', 'CREATE TABLE a ();\nCREATE TABLE b ();\n');
    await applyMigrations(database.url, { directory });
    write('1_first', 'CREATE TABLE a ();\r\nCREATE TABLE b ();\r\n');
    expect(await applyMigrations(database.url, { directory })).toEqual([]);
    write('1_first', 'CREATE TABLE a (x text);\n');
    write('2_second', 'CREATE TABLE c ();');
    await expect(applyMigrations(database.url, { directory })).rejects.toMatchObject({
      code: 'CHANGED',
      migrations: ['1_first'],
    });
    await expect(readMigrationStatus(database.url, directory)).rejects.toMatchObject({ code: 'CHANGED' });
    expect(await rows(`SELECT to_regclass('c') AS c`)).toEqual([{ c: null }]);
  });

  test('a database that is newer than the code', async () => {
    write('1_first', 'CREATE TABLE a ();');
    write('2_second', 'CREATE TABLE b ();');
    await applyMigrations(database.url, { directory });
    rmSync(join(directory, '2_second'), { recursive: true });
    await expect(applyMigrations(database.url, { directory })).rejects.toMatchObject({
      code: 'NEWER',
      message:
        'The database is newer than this version of Graft (1_first): it contains 2_second. Use the newer version, or another database.',
    });
  });

  test('a migration that another tool has left unfinished', async () => {
    write('1_first', 'CREATE TABLE a ();');
    await applyMigrations(database.url, { directory });
    await rows(`UPDATE _prisma_migrations SET finished_at = NULL`);
    await expect(applyMigrations(database.url, { directory })).rejects.toMatchObject({ code: 'UNFINISHED' });
    // What `prisma migrate resolve --rolled-back` does.
    await rows(`UPDATE _prisma_migrations SET rolled_back_at = now()`);
    await rows('DROP TABLE a');
    expect(await applyMigrations(database.url, { directory })).toEqual(['1_first']);
  });

  test('a folder without its file, and no folder', async () => {
    mkdirSync(join(directory, '1_empty'));
    await expect(applyMigrations(database.url, { directory })).rejects.toMatchObject({ code: 'MISSING' });
    await expect(applyMigrations(database.url, { directory: join(directory, 'none') })).rejects.toMatchObject({
      code: 'MISSING',
    });
  });

  test('a server that is not there', async () => {
    write('1_first', 'CREATE TABLE a ();');
    const url = 'postgresql://nobody@127.0.0.1:1/graft';
    await expect(applyMigrations(url, { directory })).rejects.toBeInstanceOf(DatabaseUnavailableError);
  });
});

describe('the command', () => {
  const NAMES = readdirSync(findMigrationsDirectory(), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

  async function run(args: string[], url = database.url): Promise<{ code: number; out: string; error: string }> {
    const out: string[] = [];
    const error: string[] = [];
    const code = await migrate(
      args,
      { DATABASE_URL: url },
      { out: (line) => out.push(line), error: (line) => error.push(line) },
    );
    return { code, out: out.join('\n'), error: error.join('\n') };
  }

  test('says what is pending, applies it, says so, and then that all is done', async () => {
    expect(await run(['--check'])).toEqual({ code: 3, out: `Pending: ${NAMES.join(', ')}.`, error: '' });
    expect(await rows(`SELECT to_regclass('_prisma_migrations') AS t`)).toEqual([{ t: null }]);
    const applied = await run([]);
    expect(applied.code).toBe(0);
    expect(applied.out.split('\n').map((line) => line.replace(/ \(\d+\.\d s\)\.$/, ''))).toEqual(
      NAMES.map((name) => `Applied ${name}`),
    );
    expect(await run([])).toEqual({ code: 0, out: 'Up to date; nothing to apply.', error: '' });
    expect(await run(['--check'])).toEqual({ code: 0, out: `Up to date: ${NAMES.at(-1)}.`, error: '' });
  });

  test('waits until another process has applied all, and not longer than asked', async () => {
    expect(await run(['--wait', '0'])).toEqual({ code: 3, out: `Pending: ${NAMES.join(', ')}.`, error: '' });
    const waiting = run(['--wait', '60']);
    await run([]);
    const { code, out } = await waiting;
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`Up to date: ${NAMES.at(-1)}\\.$`));
    expect(await run(['--wait', '0'], 'postgresql://nobody@127.0.0.1:1/graft')).toMatchObject({ code: 5 });
    expect(await run(['--wait', 'long'])).toMatchObject({ code: 2 });
    expect(await run(['--wait', '1', '--check'])).toMatchObject({ code: 2 });
  });

  test('tells wrong arguments, no URL, no server and a refusal apart', async () => {
    expect(await run(['--help'])).toMatchObject({ code: 0, error: '' });
    expect(await run(['--chek'])).toMatchObject({ code: 2, out: '' });
    expect(await run([], '')).toMatchObject({
      code: 2,
      error: expect.stringContaining('DATABASE_URL: must be set') as string,
    });
    expect(await run([], 'postgresql://nobody@127.0.0.1:1/graft')).toMatchObject({ code: 5 });
    await run([]);
    await rows(`UPDATE _prisma_migrations SET checksum = 'x'`);
    expect(await run(['--check'])).toMatchObject({ code: 1, error: expect.stringContaining('were changed') as string });
  });
});
