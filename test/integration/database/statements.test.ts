import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPool } from '../../../services/platform/db/pool.ts';
import { prepared } from '../../../services/platform/db/prepared.ts';
import { together } from '../../../services/platform/db/together.ts';
import { withTransaction } from '../../../services/platform/db/transaction.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { createAccounts } from './accounts.ts';
import type { Accounts } from './accounts.ts';

/** Of PostgreSQL's catalog (pg_type.dat). */
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
      { last: (client) => together([client.query(`UPDATE accounts SET amount = 1 / 0`)]) },
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

  test('waits for all statements that were sent together, and throws what made the first one fail', async () => {
    await accounts.reset();
    let isOver = false;
    const failing = withTransaction(pool, async (client) => {
      const steps = async (): Promise<void> => {
        await client.query(`UPDATE accounts SET amount = amount + 1 WHERE name = 'a'`);
        await client.query(`UPDATE accounts SET amount = amount + 1 WHERE name = 'b'`).finally(() => {
          isOver = true;
        });
      };
      await together([steps(), client.query('SELECT 1 / 0')]);
    }).finally(() => {
      expect(isOver).toBe(true);
    });
    await expect(failing).rejects.toMatchObject({ code: '22012' });
    expect(await accounts.amounts()).toEqual([
      { name: 'a', amount: 0 },
      { name: 'b', amount: 0 },
    ]);
  });
});
