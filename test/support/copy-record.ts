import pg from 'pg';

/**
 * Copies all rows of one database into a database of an older schema, without the columns that it lacks. Prisma can't write to an
 * older database, since it names every column of the current schema.
 */
export async function copyRecord(fromUrl: string, toUrl: string): Promise<void> {
  const from = new pg.Client({ connectionString: fromUrl });
  const to = new pg.Client({ connectionString: toUrl });
  await from.connect();
  await to.connect();
  try {
    const { rows: tables } = await to.query<{ name: string }>(
      `SELECT quote_ident(relname) AS name FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> '_prisma_migrations' ORDER BY 1`,
    );
    // Rows are copied table by table, regardless of references; those of the source are consistent.
    await to.query('SET session_replication_role = replica');
    for (const { name } of tables) {
      const { rows } = await from.query<{ content: string }>(
        `SELECT coalesce(json_agg(t), '[]')::text AS content FROM ${name} t`,
      );
      await to.query(`INSERT INTO ${name} SELECT * FROM json_populate_recordset(NULL::${name}, $1::json)`, [
        rows[0]?.content ?? '[]',
      ]);
    }
  } finally {
    await from.end();
    await to.end();
  }
}
