import type { Pool } from 'pg';

/** The schema in which a pool's connections find and make tables: the first one of `search_path` that exists. */
export async function currentSchema(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ schema: string | null }>('SELECT current_schema() AS schema');
  return rows[0]?.schema ?? 'public';
}
