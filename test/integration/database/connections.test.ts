import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DatabaseUnavailableError } from '../../../services/core/errors.ts';
import { listen } from '../../../services/platform/db/listen.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { withTransaction } from '../../../services/platform/db/transaction.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { createAccounts } from './accounts.ts';
import type { Accounts } from './accounts.ts';

const log = createLogger('test', 'silent');
let database: TestDatabase;
let pool: Pool;
let accounts: Accounts;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  pool = createPool(database.url, { applicationName: 'graft-test', log, max: 4 });
  accounts = await createAccounts(pool);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

/** Ends every other connection to the database, as a server does that shuts down. */
async function cutAll(): Promise<void> {
  await runOn(database.url, [
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  ]);
}

/** A wire between a client and the database that can be cut, or left open without passing anything on. */
class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Called with what the client sends; false swallows it and cuts. */
  onSend: (data: Buffer) => boolean = () => true;
  connectionCount = 0;

  constructor(target: URL) {
    this.#server = createServer((client) => {
      this.connectionCount += 1;
      const server = connect(Number(target.port || '5432'), target.hostname);
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          client.destroy();
          server.destroy();
        });
      }
      client.on('data', (data) => {
        if (this.onSend(data)) server.write(data);
        else client.destroy();
      });
      server.on('data', (data) => client.write(data));
    });
  }

  async open(port = 0): Promise<number> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** Drops all traffic from now on, without notifying either side. */
  freeze(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

describe('createPool', () => {
  test('says who it is and limits what a stopped process can hold up', async () => {
    const { rows } = await pool.query(
      `SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS statement,
              current_setting('idle_in_transaction_session_timeout') AS idle`,
    );
    expect(rows).toEqual([{ name: 'graft-test', statement: '1min', idle: '1min' }]);
  });

  test('continues after the server has closed idle and busy connections', async () => {
    const busy = pool.query('SELECT pg_sleep(10)').catch((error: unknown) => error);
    await vi.waitFor(async () => {
      const found = await runOn(database.url, [`SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(10)'`]);
      expect(found[0]).not.toEqual([]);
    });
    await cutAll();
    expect(await busy).toBeInstanceOf(Error);
    await withTransaction(pool, async (client) => {
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    });
  });
});

describe('withTransaction', () => {
  test('keeps what work does, and nothing of it when it throws', async () => {
    await accounts.reset();
    expect(
      await withTransaction(pool, async (client) => (await client.query(`UPDATE accounts SET amount = 1`)).rowCount),
    ).toBe(2);
    const fault = new Error('fault of the caller');
    let calls = 0;
    await expect(
      withTransaction(pool, async (client) => {
        calls += 1;
        await client.query(`UPDATE accounts SET amount = 2`);
        throw fault;
      }),
    ).rejects.toBe(fault);
    expect(calls).toBe(1);
    expect(await accounts.amounts()).toEqual([
      { name: 'a', amount: 1 },
      { name: 'b', amount: 1 },
    ]);
  });

  test('makes a deadlocked transaction again', async () => {
    await accounts.reset();
    let calls = 0;
    let arrivals = 0;
    let letGo: () => void = () => undefined;
    const both = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const add = (first: string, second: string): Promise<void> =>
      withTransaction(pool, async (client) => {
        calls += 1;
        await client.query(`SET LOCAL deadlock_timeout = '50ms'`);
        await client.query('UPDATE accounts SET amount = amount + 1 WHERE name = $1', [first]);
        arrivals += 1;
        if (arrivals === 2) letGo();
        await both;
        await client.query('UPDATE accounts SET amount = amount + 1 WHERE name = $1', [second]);
      });
    await Promise.all([add('a', 'b'), add('b', 'a')]);
    expect(calls).toBe(3);
    expect(await accounts.amounts()).toEqual([
      { name: 'a', amount: 2 },
      { name: 'b', amount: 2 },
    ]);
  });

  test('makes a transaction again that could not be serialised, but not for ever', async () => {
    await accounts.reset();
    const increments = [1, 2, 3].map(() =>
      withTransaction(
        pool,
        async (client) => {
          const { rows } = await client.query<{ amount: number }>(`SELECT amount FROM accounts WHERE name = 'a'`);
          await client.query(`UPDATE accounts SET amount = $1 WHERE name = 'a'`, [(rows[0]?.amount ?? 0) + 1]);
        },
        { isolation: 'SERIALIZABLE', maxTries: 10 },
      ),
    );
    await Promise.all(increments);
    expect(await accounts.amounts()).toContainEqual({ name: 'a', amount: 3 });
    let calls = 0;
    const hopeless = withTransaction(
      pool,
      async (client) => {
        calls += 1;
        await client.query(`DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$`);
      },
      { maxTries: 2 },
    );
    await expect(hopeless).rejects.toMatchObject({ code: '40001' });
    expect(calls).toBe(2);
  });

  test('makes a transaction again whose connection was lost before COMMIT', async () => {
    await accounts.reset();
    let calls = 0;
    await withTransaction(pool, async (client) => {
      calls += 1;
      await client.query(`UPDATE accounts SET amount = amount + 1 WHERE name = 'a'`);
      if (calls === 1) await cutAll();
      await client.query(`UPDATE accounts SET amount = amount + 1 WHERE name = 'b'`);
    });
    expect(calls).toBe(2);
    expect(await accounts.amounts()).toEqual([
      { name: 'a', amount: 1 },
      { name: 'b', amount: 1 },
    ]);
  });

  test('does not make a transaction again whose connection was lost during COMMIT', async () => {
    await accounts.reset();
    const wire = new Wire(new URL(database.url));
    const url = new URL(database.url);
    url.port = String(await wire.open());
    url.hostname = '127.0.0.1';
    wire.onSend = (data): boolean => !data.includes('COMMIT\0');
    const wired = createPool(url.href, { applicationName: 'graft-test', log, max: 1 });
    let calls = 0;
    const lost = withTransaction(wired, async (client) => {
      calls += 1;
      await client.query(`UPDATE accounts SET amount = 7`);
    });
    await expect(lost).rejects.toBeInstanceOf(DatabaseUnavailableError);
    await expect(lost).rejects.toThrow('during COMMIT: it may or may not have happened');
    expect(calls).toBe(1);
    await wired.end();
    await wire.close();
  });

  test('takes the row locks from a transaction that says nothing any more, and makes it again when it wakes', async () => {
    await accounts.reset();
    const hung = createPool(database.url, { applicationName: 'graft-test', log, max: 1, idleInTransactionMs: 300 });
    let calls = 0;
    await withTransaction(hung, async (client) => {
      calls += 1;
      await client.query(`UPDATE accounts SET amount = amount + 1 WHERE name = 'a'`);
      // Waits for the lock that this very transaction holds while it says nothing.
      if (calls === 1) await pool.query(`UPDATE accounts SET amount = amount + 10 WHERE name = 'a'`);
      await client.query(`UPDATE accounts SET amount = amount + 1 WHERE name = 'b'`);
    });
    expect(calls).toBe(2);
    expect(await accounts.amounts()).toEqual([
      { name: 'a', amount: 11 },
      { name: 'b', amount: 1 },
    ]);
    await hung.end();
  });

  test('says that a statement had failed when work hides it', async () => {
    const hidden = withTransaction(pool, async (client) => {
      await client.query('SELECT 1 / 0').catch(() => undefined);
    });
    await expect(hidden).rejects.toThrow('one of its statements had failed');
  });

  test('a server that is not there: DatabaseUnavailableError after the last try', async () => {
    const nowhere = createPool('postgresql://nobody@127.0.0.1:1/graft', { applicationName: 'graft-test', log });
    await expect(withTransaction(nowhere, () => Promise.resolve(), { maxTries: 2 })).rejects.toBeInstanceOf(
      DatabaseUnavailableError,
    );
    await nowhere.end();
  });
});

describe('listen', () => {
  test('hands payloads over, from its channel only, and none after it was closed', async () => {
    const heard: string[] = [];
    const listener = listen(pool, 'Channel "1"', (payload) => heard.push(payload), { log });
    await listener.ready;
    await pool.query(`NOTIFY other, 'x'`);
    await pool.query(`SELECT pg_notify('Channel "1"', 'first')`);
    await pool.query(`SELECT pg_notify('Channel "1"', '')`);
    await vi.waitFor(() => expect(heard).toEqual(['first', '']));
    await listener.close();
    await listener.close();
    await pool.query(`SELECT pg_notify('Channel "1"', 'late')`);
    expect(heard).toEqual(['first', '']);
  });

  test('connects again when the server closes the connection, and says so', async () => {
    const heard: string[] = [];
    const onConnect = vi.fn();
    await using listener = listen(database.url, 'news', (payload) => heard.push(payload), { log, onConnect });
    await listener.ready;
    expect(onConnect).toHaveBeenCalledTimes(1);
    await cutAll();
    await vi.waitFor(() => expect(onConnect).toHaveBeenCalledTimes(2), 10_000);
    await runOn(database.url, [`NOTIFY news, 'after'`]);
    await vi.waitFor(() => expect(heard).toEqual(['after']));
  });

  test('finds a connection that has died without a word', async () => {
    const wire = new Wire(new URL(database.url));
    const url = new URL(database.url);
    url.port = String(await wire.open());
    url.hostname = '127.0.0.1';
    const onConnect = vi.fn();
    const options = { log, onConnect, pingIntervalMs: 50, pingTimeoutMs: 200 };
    const listener = listen(url.href, 'news', () => undefined, options);
    await listener.ready;
    wire.freeze();
    await vi.waitFor(() => expect(onConnect).toHaveBeenCalledTimes(2), 10_000);
    await listener.close();
    await wire.close();
  });

  test('waits for a server that is not there yet', async () => {
    const wire = new Wire(new URL(database.url));
    const port = await wire.open();
    await wire.close();
    const url = new URL(database.url);
    url.port = String(port);
    url.hostname = '127.0.0.1';
    await using listener = listen(url.href, 'news', () => undefined, { log });
    const later = new Wire(new URL(database.url));
    await later.open(port);
    await listener.ready;
    expect(later.connectionCount).toBe(1);
    await listener.close();
    await later.close();
  });

  test('may be closed before it has found a server', async () => {
    const listener = listen('postgresql://nobody@127.0.0.1:1/graft', 'news', () => undefined, { log });
    await listener.close();
    await listener.ready;
  });
});

test('events and ready tasks are notified when their transaction is kept, a resumed sweep as well', async () => {
  await using migrated = await createTestDatabase();
  const heard: string[] = [];
  const hear =
    (channel: string) =>
    (payload: string): number =>
      heard.push(`${channel} ${payload}`);
  await using events = listen(migrated.url, 'graft_events', hear('events'), { log });
  await using tasks = listen(migrated.url, 'graft_tasks', hear('tasks'), { log });
  await Promise.all([events.ready, tasks.ready]);
  const insertTask = (id: string, state: string): string =>
    `INSERT INTO tasks (task_id, sweep_id, stage, state, position) VALUES ('${id}', 's1', 'HEAD', '${state}', 1)`;
  const steps: [string[], string[]][] = [
    [
      [
        `INSERT INTO sweeps (sweep_id, spec_digest, display_name, spec, state, objective_metric, objective_goal, test_policy)
         VALUES ('s1', '', '', '{}', 'ACTIVE', 'val_loss', 'minimize', 'winner')`,
        insertTask('waiting', 'WAITING'),
        insertTask('ready', 'READY'),
      ],
      ['tasks s1'],
    ],
    [[`UPDATE tasks SET state = 'READY' WHERE task_id = 'waiting'`], ['tasks s1']],
    [[`UPDATE tasks SET state = 'CANCELLED' WHERE task_id = 'waiting'`, `UPDATE tasks SET progress_detail = 'x'`], []],
    [
      [
        'BEGIN',
        ...[1, 2, 3].map((n) => `INSERT INTO events (sweep_id, kind, payload) VALUES ('s1', 'TASK', '${n}')`),
        'COMMIT',
      ],
      ['events s1'],
    ],
    [['BEGIN', `INSERT INTO events (sweep_id, kind, payload) VALUES ('s1', 'TASK', '4')`, 'ROLLBACK'], []],
    [[`UPDATE sweeps SET state = 'PAUSED'`], []],
    [[`UPDATE sweeps SET state = 'ACTIVE'`], ['tasks s1']],
  ];
  for (const [statements, expected] of steps) {
    // The marker comes last, so that what was not heard before it will not come.
    await runOn(migrated.url, [...statements, `NOTIFY graft_events, 'end'`, `NOTIFY graft_tasks, 'end'`]);
    await vi.waitFor(() => expect(heard.filter((line) => line.endsWith(' end'))).toHaveLength(2));
    expect({ statements, heard: heard.filter((line) => !line.endsWith(' end')) }).toEqual({
      statements,
      heard: expected,
    });
    heard.length = 0;
  }
});
