import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { beforeAll, expect, test } from 'vitest';
import { PrismaClient } from '../../../prisma/client/client.ts';
import { applyMigrations } from '../../../services/platform/db/apply-migrations.ts';
import { startEmbeddedPostgres } from '../../../services/platform/db/embedded-postgres.ts';
import { findMigrationsDirectory } from '../../../services/platform/db/read-migrations.ts';
import { copyRecord } from '../../support/copy-record.ts';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { runOn, urlOf } from '../../support/database-server.ts';
import { whyNoReader } from '../../support/reader-role.ts';
import { makeRunFolder } from '../../support/run-folder.ts';
import { insertSampleRecord } from '../../support/sample-record.ts';
import { insertSecondSweep } from '../../support/sample-second-sweep.ts';

beforeAll(databaseServerStarted);

test('graft_reader reads every view and no table', async (context) => {
  await using database = await createTestDatabase();
  const why = await whyNoReader(database.url);
  context.skip(why !== null, why ?? '');
  const [rights] = await runOn(database.url, [
    `SELECT relname AS name, relkind = 'v' AS view, has_table_privilege('graft_reader', oid, 'SELECT') AS reads,
            has_table_privilege('graft_reader', oid, 'INSERT, UPDATE, DELETE, TRUNCATE') AS writes
       FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')`,
  ]);
  expect(rights?.filter(({ view }) => view === true)).toHaveLength(20);
  expect(rights?.filter(({ view, reads, writes }) => reads !== view || writes === true)).toEqual([]);
  await runOn(database.url, ['SET ROLE graft_reader', 'SELECT * FROM leaderboard']);
  await expect(runOn(database.url, ['SET ROLE graft_reader', 'SELECT * FROM runs'])).rejects.toThrow(
    'permission denied for table runs',
  );
});

test('an owner who may not create roles migrates all the same, and grants once an administrator has made the role', async () => {
  const folder = await makeRunFolder();
  try {
    // Of its own: the role of the shared server is there already.
    const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log: () => undefined });
    try {
      await runOn(server.url, [
        `CREATE ROLE owner LOGIN PASSWORD 'secret' NOSUPERUSER NOCREATEROLE`,
        'CREATE DATABASE owned OWNER owner',
      ]);
      const url = new URL(urlOf(server.url, 'owned'));
      url.username = 'owner';
      url.password = 'secret';
      await applyMigrations(url.href);
      expect(await whyNoReader(url.href)).toContain('may not create roles');
      const [, runs] = await runOn(url.href, [
        'SELECT grant_reader()',
        'SELECT count(*)::int AS count FROM leaderboard',
      ]);
      expect(runs).toEqual([{ count: 0 }]);
      await runOn(server.url, ['CREATE ROLE graft_reader NOLOGIN']);
      await runOn(url.href, ['SELECT grant_reader()']);
      const owned = urlOf(server.url, 'owned');
      await runOn(owned, ['SET ROLE graft_reader', 'SELECT * FROM leaderboard']);
      await expect(runOn(owned, ['SET ROLE graft_reader', 'SELECT * FROM runs'])).rejects.toThrow('permission denied');
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a database that the first migration made and a sweep filled is brought to this version, and its views are right', async () => {
  await using database = await createTestDatabase({ migrated: false });
  const directory = mkdtempSync(join(tmpdir(), 'graft-migrations-'));
  try {
    const first = '20261124000000_init';
    cpSync(join(findMigrationsDirectory(), first), join(directory, first), { recursive: true });
    expect(await applyMigrations(database.url, { directory })).toEqual([first]);
  } finally {
    rmSync(directory, { recursive: true });
  }
  await using filled = await createTestDatabase();
  const prisma = new PrismaClient({
    adapter: new PrismaPg({ connectionString: filled.url, options: '-c timezone=UTC' }),
  });
  await insertSampleRecord(prisma);
  await insertSecondSweep(prisma);
  await prisma.$disconnect();
  await copyRecord(filled.url, database.url);
  expect(await applyMigrations(database.url)).toContain('20261124010000_views');
  const [effects, lineage, attempts, slots] = await runOn(database.url, [
    `SELECT value, run_count, counted_count, best_value, best_run_id FROM parameter_effects
      WHERE sweep_id = 's2' AND name = 'backbone' ORDER BY value`,
    `SELECT checkpoint_id, parent_checkpoint_id, origin FROM checkpoint_lineage WHERE run_id = 's2-1' ORDER BY 1`,
    `SELECT lease_epoch, state, seconds, lost_epochs, lost_seconds FROM run_attempts WHERE task_id = 't2-tune' ORDER BY 1`,
    `SELECT slot_index, device_kind, attempt_count, busy_seconds FROM slot_utilisation WHERE trainer_id = 'node-b' ORDER BY 1`,
  ]);
  expect(effects).toEqual([
    { value: 'efficientnet_lite0', run_count: 1, counted_count: 1, best_value: 0.4, best_run_id: 's2-0' },
    { value: 'vgg16', run_count: 3, counted_count: 2, best_value: 0.25, best_run_id: 's2-1' },
  ]);
  expect(lineage).toEqual([
    { checkpoint_id: 'c2-head', parent_checkpoint_id: null, origin: 'PRETRAINED' },
    { checkpoint_id: 'c2-last', parent_checkpoint_id: 'c2-head', origin: 'STARTED_FROM' },
    { checkpoint_id: 'c2-tune', parent_checkpoint_id: 'c2-last', origin: 'RESUMED' },
  ]);
  expect(attempts).toEqual([
    { lease_epoch: 1, state: 'FAILED', seconds: 100, lost_epochs: 1, lost_seconds: 25 },
    { lease_epoch: 2, state: 'RELEASED', seconds: 20, lost_epochs: 0, lost_seconds: 0 },
    { lease_epoch: 3, state: 'SUCCEEDED', seconds: 60, lost_epochs: 0, lost_seconds: 0 },
  ]);
  expect(slots).toEqual([
    { slot_index: 0, device_kind: 'gpu', attempt_count: 3, busy_seconds: 150 },
    { slot_index: 1, device_kind: null, attempt_count: 1, busy_seconds: 60 },
    { slot_index: 2, device_kind: 'gpu', attempt_count: 0, busy_seconds: 0 },
  ]);
});
