import type { Pool } from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { createStore } from '../../../services/coordinator/store/store.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { listen } from '../../../services/platform/db/listen.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { insertSampleRecord } from '../../support/sample-record.ts';
import { specOf, startHarness } from '../coordinator/harness.ts';

const log = createLogger('test', 'silent');

/** Settings that change the meaning of values or statements; set for the database and for the role in it. */
const HOSTILE: Readonly<Record<string, string>> = {
  TimeZone: 'America/New_York',
  DateStyle: 'SQL, DMY',
  IntervalStyle: 'sql_standard',
  extra_float_digits: '-10',
  bytea_output: 'escape',
  array_nulls: 'off',
  default_transaction_isolation: 'serializable',
  default_transaction_read_only: 'on',
  default_transaction_deferrable: 'on',
  lock_timeout: '1ms',
  statement_timeout: '5ms',
  idle_session_timeout: '300ms',
  idle_in_transaction_session_timeout: '1ms',
};

beforeAll(databaseServerStarted);

async function spoil(url: string, owner: 'DATABASE' | 'ROLE'): Promise<void> {
  const name = databaseOf(url);
  const whose = owner === 'DATABASE' ? `DATABASE ${name}` : `ROLE CURRENT_USER IN DATABASE ${name}`;
  // In one transaction of one session, which its own last settings don't yet reach.
  await runOn(url, [
    'BEGIN',
    ...Object.entries(HOSTILE).map(([key, value]) => `ALTER ${whose} SET ${key} = '${value}'`),
    'COMMIT',
  ]);
}

function databaseOf(url: string): string {
  return new URL(url).pathname.slice(1);
}

/** Values of every kind that settings can bend, as they come back. */
async function roundTrip(pool: Pool): Promise<unknown> {
  const values = [
    0.1 + 0.2,
    Math.PI * 1e-7,
    ['a', null],
    Buffer.from([0, 92, 255]),
    new Date('2026-05-06T07:08:09.123Z'),
  ];
  const { rows } = await pool.query<Record<string, unknown>>(
    `SELECT $1::float8 AS a, $2::float8 AS b, $3::text[] AS c, $4::bytea AS d, $5::timestamptz AS e, $5::timestamptz::text AS f,
            '-1 day +2 hours'::interval::text AS g, current_setting('transaction_isolation') AS h,
            current_setting('transaction_read_only') AS i, '01/02/2026'::date::text AS j, array['null']::text[]::text AS k`,
    values,
  );
  return rows[0];
}

test.each(['DATABASE', 'ROLE'] as const)(
  'what ALTER %s sets changes no value and stops no statement',
  async (owner) => {
    await using plain = await createTestDatabase();
    await using spoilt = await createTestDatabase();
    await spoil(spoilt.url, owner);
    // Asked of the other database: a session of this one has 5 ms for a statement.
    const [stored] = await runOn(plain.url, [
      `SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = '${databaseOf(spoilt.url)}'`,
    ]);
    expect(stored?.[0]?.['setconfig']).toContain('extra_float_digits=-10');
    const results = [];
    for (const { url } of [plain, spoilt]) {
      const pool = createPool(url, { applicationName: 'test', log });
      const { prisma } = createStore({ pool, log, leaseMs: 1_000 });
      await insertSampleRecord(prisma);
      results.push({
        values: await roundTrip(pool),
        runs: await prisma.run.findMany({ orderBy: { runId: 'asc' } }),
        metrics: await prisma.epochMetric.findMany({
          orderBy: [{ taskId: 'asc' }, { epoch: 'asc' }, { name: 'asc' }, { runId: 'asc' }, { leaseEpoch: 'asc' }],
        }),
        leaderboard: (await pool.query('SELECT * FROM leaderboard ORDER BY run_id')).rows as unknown,
      });
      await prisma.$disconnect();
      await pool.end();
    }
    const comparable = (key: string, value: unknown): unknown => {
      // The rows were made one after the other.
      if (key === 'createTime') return undefined;
      return typeof value === 'bigint' ? String(value) : value;
    };
    const [first, second] = results.map((result) => JSON.parse(JSON.stringify(result, comparable)) as unknown);
    expect(second).toEqual(first);
  },
);

test('a listener and a coordinator outlast an idle_session_timeout of the database, and a sweep is leased at once', async () => {
  await using database = await createTestDatabase();
  await spoil(database.url, 'DATABASE');
  let connections = 0;
  const heard: string[] = [];
  await using listener = listen(database.url, 'news', (payload) => heard.push(payload), {
    log,
    onConnect: () => (connections += 1),
  });
  await listener.ready;
  await using harness = await startHarness({ databaseUrl: database.url });
  const before = Date.now();
  const sweepId = await harness.submit(specOf());
  const trainer = await harness.trainer('t1');
  expect((await trainer.mustLease('INDEX')).sweepId).toBe(sweepId);
  const { sweep } = await harness.sweeps.getSweep({ sweepId });
  for (const time of [sweep?.createTime, sweep?.startTime]) {
    expect(time?.getTime()).toBeGreaterThan(before - 5_000);
    expect(time?.getTime()).toBeLessThan(Date.now() + 5_000);
  }
  // The server would have ended the session by now: 0.3 s are over when the loops have made these passes of 0.1 s.
  await harness.coordinator.loops.passes(2);
  const pool = createPool(database.url, { applicationName: 'test', log });
  await pool.query(`SELECT pg_sleep(0.5)`);
  await pool.query(`NOTIFY news, 'late'`);
  await pool.end();
  await expect.poll(() => heard).toEqual(['late']);
  expect(connections).toBe(1);
});
