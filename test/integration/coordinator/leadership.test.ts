import type { Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { LeaderLoops } from '../../../services/coordinator/loops/leader-loop.ts';
import { Leadership } from '../../../services/coordinator/store/leadership.ts';
import { OutageLog } from '../../../services/platform/db/outage-log.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { findPgBouncer, NO_PGBOUNCER, PgBouncer } from '../../support/pgbouncer.ts';

const log = createLogger('test', 'silent');
const outage = new OutageLog(log);
let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { applicationName: 'test', log });
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

beforeEach(() => pool.query('DELETE FROM leader_leases'));

async function lease(): Promise<{ holder: string; term: string; live: boolean } | undefined> {
  const { rows } = await pool.query<{ holder: string; term: string; live: boolean }>(
    'SELECT holder, term, expire_time > now() AS live FROM leader_leases',
  );
  return rows[0];
}

test('one of many coordinators leads, keeps the lease while it renews it, and releases it at a graceful end', async () => {
  await using first = new Leadership(pool, log, outage);
  const others = Array.from({ length: 4 }, () => new Leadership(pool, log, outage));
  expect(await first.check()).toBe('gained');
  expect(await Promise.all(others.map((other) => other.check()))).toEqual(['none', 'none', 'none', 'none']);
  const before = await lease();
  expect(await first.check()).toBe('held');
  expect(await lease()).toEqual(before);
  await first[Symbol.asyncDispose]();
  const states = await Promise.all(others.map((other) => other.check()));
  expect(states.toSorted()).toEqual(['gained', 'none', 'none', 'none']);
  const after = await lease();
  expect(after?.term).toBe(String(Number(before?.term) + 1));
  expect(after?.holder).not.toBe(before?.holder);
  for (const other of others) await other[Symbol.asyncDispose]();
});

test('a leader whose lease was taken aborts the current pass at its next renewal, and starts no other', async () => {
  await using leadership = new Leadership(pool, log, outage);
  let passes = 0;
  let aborted: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (aborted = resolve));
  const task = {
    name: 'long',
    intervalMs: 10,
    pass: async (signal: AbortSignal): Promise<void> => {
      passes += 1;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      aborted();
    },
  };
  await using loops = new LeaderLoops(leadership, [task], log, outage);
  loops.start();
  await expect.poll(() => passes).toBe(1);
  expect(loops.isLeader).toBe(true);
  await pool.query(
    `UPDATE leader_leases SET holder = 'another', term = term + 1, expire_time = now() + interval '1 hour'`,
  );
  await ended;
  expect(loops.isLeader).toBe(false);
  await loops.passes(2);
  expect(passes).toBe(1);
  expect(await lease()).toMatchObject({ holder: 'another', live: true });
});

test('a leader that can not renew stops before another one may start', async () => {
  const cut = createPool(database.url, { applicationName: 'cut', log });
  await using first = new Leadership(cut, log, outage);
  await using second = new Leadership(pool, log, outage);
  expect(await first.check()).toBe('gained');
  const { signal } = first;
  const stopped = new Promise<number>((resolve) =>
    signal.addEventListener('abort', () => resolve(performance.now()), { once: true }),
  );
  // Its renewals wait for this lock and are not answered.
  const holder = await pool.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM leader_leases FOR UPDATE');
  const stoppedAt = await stopped;
  expect(first.isHeld).toBe(false);
  // Its last renewal was given up: the server ends the statement, or the client the connection.
  await expect
    .poll(
      async () =>
        (await pool.query(`SELECT FROM pg_stat_activity WHERE application_name = 'cut' AND wait_event_type = 'Lock'`))
          .rowCount,
      {
        timeout: 10_000,
      },
    )
    .toBe(0);
  await holder.query('COMMIT');
  holder.release();
  await expect.poll(() => second.check(), { timeout: 15_000, interval: 20 }).toBe('gained');
  expect(performance.now()).toBeGreaterThan(stoppedAt);
  expect(first.isHeld).toBe(false);
  await cut.end();
});

test.skipIf(findPgBouncer() === null)(
  `never two leaders through a pooler that shares its sessions${findPgBouncer() === null ? `: ${NO_PGBOUNCER}` : ''}`,
  async () => {
    // A proxy that was put there, or changed, while coordinators run: the check at their start is over.
    await using bouncer = await PgBouncer.start(database.url, 'transaction', { default_pool_size: 2 });
    const shared = createPool(bouncer.url, { applicationName: 'test', log });
    const candidates = Array.from({ length: 6 }, () => new Leadership(shared, log, outage));
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(candidates.map((candidate) => candidate.check()));
      expect(candidates.filter(({ isHeld }) => isHeld)).toHaveLength(1);
    }
    for (const candidate of candidates) await candidate[Symbol.asyncDispose]();
    await shared.end();
  },
);
