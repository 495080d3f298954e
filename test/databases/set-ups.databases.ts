import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { applyMigrations } from '../../services/platform/db/apply-migrations.ts';
import { callsAtOnce } from '../support/calls-at-once.ts';
import { runOn } from '../support/database-server.ts';
import { findPgBouncer, NO_PGBOUNCER, PgBouncer } from '../support/pgbouncer.ts';
import { debianPostgres, PostgresServer } from '../support/postgres-server.ts';
import { compareTimeColumns } from '../support/time-columns.ts';
import { startHarness } from '../integration/coordinator/harness.ts';
import { indexesASweep } from '../integration/coordinator/indexes-a-sweep.ts';

/** Rows of the final table: version, set-up, observation. */
const table: (readonly [string, string, string])[] = [];

afterAll(() => {
  const widths = [0, 1].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map(
    (row) => `| ${row[0].padEnd(widths[0] ?? 0)} | ${row[1].padEnd(widths[1] ?? 0)} | ${row[2]} |`,
  );
  process.stdout.write(`\n${lines.join('\n')}\n`);
});

/** null selects the programs of the npm package. */
const VERSIONS = [
  {
    version: 'PostgreSQL 15',
    bin: debianPostgres(15),
    missing: 'no /usr/lib/postgresql/15 (apt-get install postgresql-15)',
  },
  { version: 'PostgreSQL 18', bin: undefined, missing: '' },
] as const;

const REFUSED = /another session.*set pool_mode = session/s;

for (const { version, bin, missing } of VERSIONS) {
  if (bin === null) process.stdout.write(`Skipped, ${version}: ${missing}.\n`);
  describe.skipIf(bin === null)(version, () => {
    let server: PostgresServer;
    let seen: string | null = null;

    beforeAll(async () => {
      server = await PostgresServer.start({ ...(bin ? { bin } : {}), settings: { max_connections: '20' } });
      await runOn(server.url('postgres'), ['CREATE ROLE worker LOGIN']);
    });
    afterAll(() => server[Symbol.asyncDispose]());

    afterEach(({ task }) => {
      const state = task.result?.state === 'pass' ? (seen ?? '') : 'FAILED';
      if (task.result?.state !== 'skip') table.push([version, task.name, state]);
      seen = null;
    });

    /** Creates a database of an ordinary role, after `statements` of its administrator. */
    async function database(name: string, statements: readonly string[] = []): Promise<string> {
      await runOn(server.url('postgres'), [`CREATE DATABASE ${name} OWNER worker`]);
      await runOn(server.url(name), statements);
      return server.url(name).replace('graft@', 'worker@');
    }

    test.each(['America/New_York', 'Asia/Kolkata', 'UTC'])('zone %s', async (zone) => {
      const name = `zone_${zone.toLowerCase().replace('/', '_')}`;
      const url = await database(name, [`ALTER DATABASE ${name} SET timezone TO '${zone}'`]);
      await applyMigrations(url);
      {
        await using harness = await startHarness({ databaseUrl: url });
        await indexesASweep(harness);
      }
      const fresh = await database(`${name}_columns`, [`ALTER DATABASE ${name}_columns SET timezone TO '${zone}'`]);
      await applyMigrations(fresh);
      const { columns, wrong } = await compareTimeColumns(fresh);
      expect(wrong).toEqual([]);
      seen = `${columns.length} time columns × 4 instants × 3 writers × 3 readers equal; a sweep leased at once`;
    });

    test.each([
      [
        'ALTER DATABASE … SET search_path = graft',
        '',
        ['CREATE SCHEMA graft AUTHORIZATION worker', 'ALTER DATABASE schema_0 SET search_path = graft'],
      ],
      ['?schema=graft', '?schema=graft', []],
      [
        '?options=-c search_path=graft',
        '?options=-c%20search_path%3Dgraft',
        ['CREATE SCHEMA graft AUTHORIZATION worker'],
      ],
    ] as const)('schema graft by %s', async (_, parameters, statements) => {
      const name = `schema_${parameters.length}`;
      const url = `${await database(name, statements)}${parameters}`;
      const applied = await applyMigrations(url);
      await using harness = await startHarness({ databaseUrl: url });
      await indexesASweep(harness);
      const [rows] = await runOn(server.url(name), [
        `SELECT DISTINCT schemaname FROM pg_tables WHERE tablename IN ('sweeps', 'tokens')`,
      ]);
      expect(rows).toEqual([{ schemaname: 'graft' }]);
      seen = `${applied.length} migrations, a sweep indexed; no table in public`;
    });

    test.skipIf(findPgBouncer() === null)(
      `PgBouncer, pool_mode = session${findPgBouncer() === null ? ` (${NO_PGBOUNCER})` : ''}`,
      async () => {
        const url = await database('bouncer_session');
        // Behind it are the server's 17 slots, of which the migrations need two.
        await using bouncer = await PgBouncer.start(url, 'session', { default_pool_size: 30 });
        await applyMigrations(bouncer.url);
        const env = { GRAFT_COORDINATOR_CONNECTIONS: '3' };
        await using first = await startHarness({ databaseUrl: bouncer.url, env });
        await first.coordinator.loops.passes(1);
        await using second = await startHarness({
          databaseUrl: bouncer.url,
          env: { ...env, GRAFT_ARTIFACTS_DIR: first.artifacts.root },
        });
        await second.coordinator.loops.passes(1);
        await indexesASweep(first, second);
        const leaders = [first, second].filter(({ coordinator }) => coordinator.loops.isLeader).length;
        expect(leaders).toBe(1);
        seen = 'migrated; two coordinators, 1 leader; a task made at one wakes a trainer at the other';
      },
    );

    test.skipIf(findPgBouncer() === null).each(['transaction', 'statement'] as const)(
      'PgBouncer, pool_mode = %s',
      async (mode) => {
        const url = await database(`bouncer_${mode}`);
        await applyMigrations(url);
        await using bouncer = await PgBouncer.start(url, mode);
        await expect(startHarness({ databaseUrl: bouncer.url })).rejects.toThrow(REFUSED);
        await expect(applyMigrations(bouncer.url)).rejects.toThrow(REFUSED);
        seen = 'coordinator and migrate refused at the start, with the reason and the fix';
      },
    );

    test.each(['LATIN1', 'SQL_ASCII'])('encoding %s', async (encoding) => {
      const name = `encoding_${encoding.toLowerCase()}`;
      await runOn(server.url('postgres'), [
        `CREATE DATABASE ${name} OWNER worker ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`,
      ]);
      const url = server.url(name).replace('graft@', 'worker@');
      await expect(applyMigrations(url)).rejects.toThrow(/needs UTF8/);
      await expect(startHarness({ databaseUrl: url })).rejects.toThrow(/needs UTF8/);
      seen = 'coordinator and migrate refused at the start, with the statement that makes another';
    });

    test('max_connections = 20, two coordinators, 600 calls at once', async () => {
      const url = await database('crowded');
      await applyMigrations(url);
      await using first = await startHarness({ databaseUrl: url });
      await using second = await startHarness({ databaseUrl: url, env: { GRAFT_ARTIFACTS_DIR: first.artifacts.root } });
      const outcome = await callsAtOnce([first, second], 600, server.url('postgres'));
      expect(outcome.failures).toEqual([]);
      expect(outcome.refused).toBeGreaterThan(0);
      const leaders = [first, second].filter(({ coordinator }) => coordinator.loops.isLeader).length;
      expect(leaders).toBe(1);
      seen = `${outcome.answered} answered, 0 failed, ${outcome.seconds.toFixed(1)} s, ${outcome.refused} connections fewer than wanted; 1 leader`;
    });
  });
}
