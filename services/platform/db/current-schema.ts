import type { Pool } from 'pg';

/** Returns the schema in which a pool's connections find and create tables: the first existing one of `search_path`. */
export async function currentSchema(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ schema: string | null }>('SELECT current_schema() AS schema');
  return rows[0]?.schema ?? 'public';
}
