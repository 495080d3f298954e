import { beforeAll, expect, test } from 'vitest';
import { createAdminToken } from '../../../services/coordinator/create-admin-token.ts';
import { applyMigrations, readMigrationStatus } from '../../../services/platform/db/apply-migrations.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { whyNoReader } from '../../support/reader-role.ts';
import { specOf, startHarness } from '../coordinator/harness.ts';
import { indexesASweep } from '../coordinator/indexes-a-sweep.ts';

const PAGE = { pageSize: 100, pageToken: '' };
const log = createLogger('test', 'silent');

beforeAll(databaseServerStarted);

function withParameter(url: string, name: string, value: string): string {
  const changed = new URL(url);
  changed.searchParams.set(name, value);
  return changed.href;
}

/** Statements of a connection that has the server's search path, as an administrator's has. */
const TABLES = `SELECT n.nspname AS schema, count(*)::int AS tables FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relname IN ('sweeps', 'tokens', 'leader_leases', '_prisma_migrations') GROUP BY 1 ORDER BY 1`;

test.each([
  ['of the database', '', (name: string) => [`ALTER DATABASE ${name} SET search_path = graft`]],
  [
    'of the database, with public behind it',
    '',
    (name: string) => [`ALTER DATABASE ${name} SET search_path = graft, public`],
  ],
  ['of the options in DATABASE_URL', '-c search_path=graft -c work_mem=8MB', () => []],
] as const)('everything works in another default schema: the search_path %s', async (_, options, statements) => {
  await using database = await createTestDatabase({ migrated: false });
  const name = new URL(database.url).pathname.slice(1);
  await runOn(database.url, ['CREATE SCHEMA graft', ...statements(name)]);
  const url = options === '' ? database.url : withParameter(database.url, 'options', options);
  await applyMigrations(url);
  expect(await runOn(database.url, [TABLES])).toEqual([[{ schema: 'graft', tables: 4 }]]);
  await using harness = await startHarness({ databaseUrl: url });
  await indexesASweep(harness);
  expect(await createAdminToken(url, 'first', log)).toMatch(/./);
  if (options !== '') expect(await harness.query('SHOW work_mem')).toEqual([{ work_mem: '8MB' }]);
});

test('?schema= is made by the migrations, with any name, and used by all', async () => {
  await using database = await createTestDatabase({ migrated: false });
  // Without a schema called public, which older migrations name.
  await runOn(database.url, ['DROP SCHEMA public']);
  const url = withParameter(database.url, 'schema', `Graft 50% o'hara`);
  expect((await readMigrationStatus(url)).applied).toEqual([]);
  await applyMigrations(url);
  expect(await readMigrationStatus(url)).toMatchObject({ pending: [] });
  expect(await runOn(database.url, [TABLES])).toEqual([[{ schema: `Graft 50% o'hara`, tables: 4 }]]);
  await using harness = await startHarness({ databaseUrl: url });
  const trainer = await harness.trainer('t1');
  const sweepId = await harness.submit(specOf());
  expect((await trainer.mustLease('INDEX')).sweepId).toBe(sweepId);
  expect((await harness.sweeps.getSweep({ sweepId })).sweep?.state).toBe(1);
});

test('two installations in two schemas of one database have a leader each and see nothing of each other', async () => {
  await using database = await createTestDatabase();
  const url = withParameter(database.url, 'schema', 'second');
  await applyMigrations(url);
  await using first = await startHarness({ databaseUrl: database.url });
  await using second = await startHarness({ databaseUrl: url });
  await Promise.all([first.coordinator.loops.passes(1), second.coordinator.loops.passes(1)]);
  expect([first, second].map(({ coordinator }) => coordinator.loops.isLeader)).toEqual([true, true]);
  const sweepId = await first.submit(specOf());
  expect((await second.sweeps.listSweeps(PAGE)).sweeps).toEqual([]);
  expect((await first.sweeps.listSweeps(PAGE)).sweeps.map((sweep) => sweep.sweepId)).toEqual([sweepId]);
});

test("another program's tables in public, its migrations and its views as well, are left alone", async (context) => {
  await using database = await createTestDatabase({ migrated: false });
  const name = new URL(database.url).pathname.slice(1);
  await runOn(database.url, [
    `CREATE TABLE _prisma_migrations (migration_name text, checksum text, finished_at timestamptz, rolled_back_at timestamptz)`,
    `INSERT INTO _prisma_migrations VALUES ('20200101000000_theirs', 'x', now(), NULL)`,
    'CREATE TABLE runs (secret text)',
    `CREATE VIEW leaderboard AS SELECT secret FROM runs`,
    'CREATE SCHEMA graft',
    `ALTER DATABASE ${name} SET search_path = graft, public`,
  ]);
  expect((await readMigrationStatus(database.url)).applied).toEqual([]);
  await applyMigrations(database.url);
  const why = await whyNoReader(database.url);
  context.skip(why !== null, why ?? '');
  const reads = (view: string): string => `SELECT has_table_privilege('graft_reader', '${view}', 'SELECT') AS reads`;
  // As an administrator does it, whose search path is another one.
  await runOn(database.url, ['SET search_path = pg_catalog', 'SELECT graft.grant_reader()']);
  expect(await runOn(database.url, [reads('graft.leaderboard'), reads('public.leaderboard')])).toEqual([
    [{ reads: true }],
    [{ reads: false }],
  ]);
});

test('a search_path of schemas that are not there is refused, with the way out', async () => {
  await using database = await createTestDatabase({ migrated: false });
  const url = withParameter(database.url, 'options', '-c search_path=nowhere');
  const message = /search_path \(nowhere\).*CREATE SCHEMA/s;
  await expect(applyMigrations(url)).rejects.toThrow(message);
  await expect(readMigrationStatus(url)).rejects.toThrow(message);
});
