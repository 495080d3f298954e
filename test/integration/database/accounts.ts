import type { Pool } from 'pg';

/** A table to write to, with two rows at 0 after each `reset`. */
export interface Accounts {
  reset(): Promise<void>;
  /** The rows by name. */
  amounts(): Promise<unknown>;
}

export async function createAccounts(pool: Pool): Promise<Accounts> {
  await pool.query('CREATE TABLE accounts (name text PRIMARY KEY, amount integer NOT NULL)');
  return {
    reset: async () => {
      await pool.query(`TRUNCATE accounts`);
      await pool.query(`INSERT INTO accounts VALUES ('a', 0), ('b', 0)`);
    },
    amounts: async (): Promise<unknown> => (await pool.query('SELECT name, amount FROM accounts ORDER BY name')).rows,
  };
}
