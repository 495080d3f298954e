import type { Pool, QueryConfig, QueryResult } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Batch } from '../../../services/platform/db/batch.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { prepared } from '../../../services/platform/db/prepared.ts';
import { withTransaction } from '../../../services/platform/db/transaction.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { createAccounts } from './accounts.ts';
import type { Accounts } from './accounts.ts';

/** Object identifiers of PostgreSQL's catalog (pg_type.dat). */
const INT4_OID = 23;
const INT8_OID = 20;

let database: TestDatabase;
let pool: Pool;
let accounts: Accounts;

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  pool = createPool(database.url, { applicationName: 'graft-test', log: createLogger('test', 'silent'), max: 2 });
  accounts = await createAccounts(pool);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

describe('statements that are sent without waiting', () => {
  test('makes a transaction again whose prepared statement was outdated by a migration', async () => {
    await pool.query('DROP TABLE IF EXISTS widened');
    await pool.query('CREATE TABLE widened (value int)');
    const read = () =>
      withTransaction(pool, async (client) => {
        const { fields } = await client.query(prepared('SELECT value FROM widened', []));
        return fields.map(({ dataTypeID }) => dataTypeID);
      });
    expect(await read()).toEqual([INT4_OID]);
    await pool.query('ALTER TABLE widened ALTER COLUMN value TYPE bigint');
    expect(await read()).toEqual([INT8_OID]);
  });

  test('keeps nothing when a statement fails that goes with COMMIT, and says which', async () => {
    await accounts.reset();
    const failing = withTransaction(
      pool,
      async (client) => {
        await client.query(`UPDATE accounts SET amount = 5 WHERE name = 'a'`);
        return client;
      },
      {
        last: (client) => {
          const batch = new Batch(client);
          batch.query(`UPDATE accounts SET amount = 1 / 0`, []);
          return batch.send();
        },
      },
    );
    await expect(failing).rejects.toMatchObject({ code: '22012' });
    expect(await accounts.amounts()).toContainEqual({ name: 'a', amount: 0 });
    const unsent = withTransaction(pool, async (client) => client.query(`UPDATE accounts SET amount = 5`), {
      last: () => {
        throw new Error('can not be encoded');
      },
    });
    await expect(unsent).rejects.toThrow('can not be encoded');
    expect(await accounts.amounts()).toContainEqual({ name: 'a', amount: 0 });
  });

  test('waits for all statements of a batch, and throws what made the first one fail', async () => {
    await accounts.reset();
    let answered = 0;
    const failing = withTransaction(pool, async (client) => {
      const query = async (statement: QueryConfig): Promise<QueryResult> => {
        try {
          return await client.query(statement);
        } finally {
          answered += 1;
        }
      };
      const batch = new Batch({ query });
      batch.query(`UPDATE accounts SET amount = amount + 1 WHERE name = 'a'`, []);
      batch.query('SELECT 1 / 0', []);
      batch.prepared(`UPDATE accounts SET amount = amount + 1 WHERE name = 'b'`, []);
      await batch.send();
    }).finally(() => {
      expect(answered).toBe(3);
    });
    await expect(failing).rejects.toMatchObject({ code: '22012' });
    expect(await accounts.amounts()).toEqual([
      { name: 'a', amount: 0 },
      { name: 'b', amount: 0 },
    ]);
  });

  test('gives the answers of a batch once it was sent, in the order of its statements', async () => {
    await accounts.reset();
    const seen: unknown[] = [];
    const [before, after] = await withTransaction(pool, async (client) => {
      const batch = new Batch(client);
      const read = `SELECT amount FROM accounts WHERE name = 'a'`;
      const first = batch.query<{ amount: number }>(read, []);
      batch.prepared(`UPDATE accounts SET amount = 7 WHERE name = $1`, ['a'], () => seen.push('updated'));
      const last = batch.prepared<{ amount: number }>(read, [], (rows) => seen.push(rows));
      expect(() => last.rows).toThrow('before the batch was sent');
      await batch.send();
      return [first.rows, last.rows];
    });
    expect([before, after]).toEqual([[{ amount: 0 }], [{ amount: 7 }]]);
    expect(seen).toEqual(['updated', [{ amount: 7 }]]);
  });
});
