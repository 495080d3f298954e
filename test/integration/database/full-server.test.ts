import { expect, test } from 'vitest';
import { applyMigrations, readMigrationStatus } from '../../../services/platform/db/apply-migrations.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { callsAtOnce } from '../../support/calls-at-once.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { startHarness } from '../coordinator/harness.ts';

const log = createLogger('test', 'silent');

test(
  'two coordinators on a server with max_connections = 20 answer 600 calls at once',
  { timeout: 90_000 },
  async () => {
    await using server = await PostgresServer.start({ settings: { max_connections: '20' } });
    await runOn(server.url('postgres'), [
      'CREATE DATABASE graft',
      `CREATE ROLE worker LOGIN`,
      'ALTER DATABASE graft OWNER TO worker',
    ]);
    // An ordinary role, from which the last three slots are kept.
    const url = server.url('graft').replace('graft@', 'worker@');
    await applyMigrations(url);
    await using first = await startHarness({ databaseUrl: url });
    await using second = await startHarness({ databaseUrl: url, env: { GRAFT_ARTIFACTS_DIR: first.artifacts.root } });
    const outcome = await callsAtOnce([first, second], 600, server.url('postgres'));
    expect(outcome.failures).toEqual([]);
    expect(outcome.answered).toBe(600);
    process.stdout.write(
      `600 calls at once, ${outcome.refused} connections fewer than wanted: ${outcome.seconds.toFixed(1)} s\n`,
    );
    // All of it really went through fewer connections than the coordinators would have liked.
    expect(outcome.refused).toBeGreaterThan(0);
  },
);

test.each([
  ['a role', 'ALTER ROLE CURRENT_USER CONNECTION LIMIT 2'],
  ['a database', 'ALTER DATABASE graft CONNECTION LIMIT 2'],
])('statements wait for a connection where %s may have only two, and the pool grows again', async (_, limit) => {
  await using server = await PostgresServer.start();
  await runOn(server.url('postgres'), ['CREATE DATABASE graft', 'CREATE ROLE worker LOGIN']);
  const url = server.url('graft').replace('graft@', 'worker@');
  await runOn(server.url('graft'), [limit.replace('CURRENT_USER', 'worker')]);
  const pool = createPool(url, { applicationName: 'test', log, max: 6 });
  const answers = await Promise.all(
    Array.from(
      { length: 60 },
      async (__, n) => (await pool.query<{ n: number }>('SELECT $1::int AS n, pg_sleep(0.01)', [n])).rows[0]?.n,
    ),
  );
  expect(answers).toEqual(Array.from({ length: 60 }, (__, n) => n));
  expect(pool.totalCount).toBeLessThanOrEqual(2);
  await runOn(server.url('graft'), [limit.replace('CURRENT_USER', 'worker').replace('2', '-1')]);
  await expect
    .poll(
      async () => {
        await Promise.all(Array.from({ length: 12 }, () => pool.query('SELECT pg_sleep(0.01)')));
        return pool.totalCount;
      },
      { timeout: 15_000 },
    )
    .toBe(6);
  await pool.end();
});

test('migrations wait for a connection as well', async () => {
  await using database = await createTestDatabase();
  const name = new URL(database.url).pathname.slice(1);
  const role = `worker_${name}`;
  await runOn(database.url, [
    `CREATE ROLE ${role} LOGIN PASSWORD 'secret' CONNECTION LIMIT 2`,
    `GRANT SELECT ON _prisma_migrations TO ${role}`,
  ]);
  try {
    const url = new URL(database.url);
    url.username = role;
    url.password = 'secret';
    const holders = createPool(url.href, { applicationName: 'test', log, max: 2 });
    const held = await Promise.all([holders.connect(), holders.connect()]);
    const status = readMigrationStatus(url.href);
    await expect(
      Promise.race([status.then(() => 'answered'), runOn(database.url, ['SELECT pg_sleep(0.3)'])]),
    ).resolves.not.toBe('answered');
    for (const client of held) client.release();
    await holders.end();
    expect((await status).pending).toEqual([]);
  } finally {
    await runOn(database.url, [`REVOKE ALL ON _prisma_migrations FROM ${role}`, `DROP ROLE ${role}`]);
  }
});
