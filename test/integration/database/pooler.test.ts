import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';
import { beforeAll, describe, expect, test } from 'vitest';
import { applyMigrations, readMigrationStatus } from '../../../services/platform/db/apply-migrations.ts';
import { checkDatabase } from '../../../services/platform/db/check-database.ts';
import { openClient } from '../../../services/platform/db/database-client.ts';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { findPgBouncer, NO_PGBOUNCER, PgBouncer } from '../../support/pgbouncer.ts';
import { specOf, startHarness } from '../coordinator/harness.ts';

beforeAll(databaseServerStarted);

if (findPgBouncer() === null) console.warn(`Skipped, the tests with PgBouncer: ${NO_PGBOUNCER}.`);

describe.skipIf(findPgBouncer() === null)('behind PgBouncer', () => {
  // One shared session, the two common modes, and sessions that are reset after each transaction or not shared yet.
  test.each([
    ['transaction', {}],
    ['transaction', { default_pool_size: 1 }],
    ['transaction', { server_reset_query_always: 1 }],
    ['transaction', { min_pool_size: 8, server_round_robin: 1 }],
    ['statement', {}],
  ] as const)('pool_mode = %s with %j is refused at the start, with the reason and the fix', async (mode, settings) => {
    await using database = await createTestDatabase();
    await using bouncer = await PgBouncer.start(database.url, mode, settings);
    const message = /assigns a session.*Connect to PostgreSQL directly, or set pool_mode = session/s;
    await expect(startHarness({ databaseUrl: bouncer.url })).rejects.toThrow(message);
    await expect(readMigrationStatus(bouncer.url)).rejects.toThrow(message);
    await using empty = await createTestDatabase({ migrated: false });
    const other = bouncer.url.replace(new URL(bouncer.url).pathname, new URL(empty.url).pathname);
    await expect(applyMigrations(other)).rejects.toThrow(message);
    const [tables] = await runOn(empty.url, [
      `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
    ]);
    expect(tables).toEqual([]);
  });

  test('pool_mode = session works as it is installed: migrations, calls, notifications, one leader', async () => {
    await using database = await createTestDatabase({ migrated: false });
    await using bouncer = await PgBouncer.start(database.url, 'session', { default_pool_size: 40 });
    expect(await applyMigrations(bouncer.url)).not.toEqual([]);
    await using first = await startHarness({ databaseUrl: bouncer.url });
    await first.coordinator.loops.passes(1);
    const env = { GRAFT_ARTIFACTS_DIR: first.artifacts.root };
    await using second = await startHarness({ databaseUrl: bouncer.url, env });
    await second.coordinator.loops.passes(1);
    expect([first, second].map(({ coordinator }) => coordinator.loops.isLeader)).toEqual([true, false]);
    const trainer = await first.trainer('t1');
    // Waits at the first one; the task is made at the second one.
    const leased = trainer.mustLease('INDEX');
    const sweepId = await second.submit(specOf());
    expect((await leased).sweepId).toBe(sweepId);
  });
});

test('a session of its own is never taken for a shared one, however slow the server is', async () => {
  await using database = await createTestDatabase();
  const target = new URL(database.url);
  const sockets = new Set<Socket>();
  // Each answer comes a little later than the last one was due.
  const slow = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => [client, server].forEach((each) => each.destroy()));
    }
    client.pipe(server);
    server.on('data', (data) => setTimeout(() => client.write(data), 40));
  });
  slow.listen(0, '127.0.0.1');
  await once(slow, 'listening');
  const url = new URL(database.url);
  url.hostname = '127.0.0.1';
  url.port = String((slow.address() as AddressInfo).port);
  const config = { connectionString: url.href };
  const client = await openClient(config);
  try {
    expect(await checkDatabase(client, config)).toBe('public');
  } finally {
    await client.end();
    for (const socket of sockets) socket.destroy();
    slow.close();
  }
});
