import type { Store } from './store.ts';

/** Tables whose lists begin with the newest row, each with its key. */
const KEYS = { sweeps: 'sweep_id', datasets: 'dataset_id', tokens: 'token_id' } as const;

/** Where such a list goes on. */
export interface LatestKey {
  /** As PostgreSQL spells it: a JavaScript date has no microseconds, and two rows of one millisecond must not hide each other. */
  readonly createTime: string;
  readonly id: string;
}

/** The next rows of a list, by their identities; `next` is null when there are no more. */
export async function latestFirst(
  { pool }: Pick<Store, 'pool'>,
  table: keyof typeof KEYS,
  after: LatestKey | null,
  limit: number,
): Promise<{ readonly ids: string[]; readonly next: LatestKey | null }> {
  const key = KEYS[table];
  const { rows } = await pool.query<LatestKey>(
    `SELECT ${key} AS id, create_time::text AS "createTime" FROM ${table}
      WHERE $1::timestamptz IS NULL OR (create_time, ${key}) < ($1::timestamptz, $2)
      ORDER BY create_time DESC, ${key} DESC LIMIT $3`,
    [after?.createTime ?? null, after?.id ?? null, limit + 1],
  );
  const shown = rows.slice(0, limit);
  return { ids: shown.map(({ id }) => id), next: rows.length > limit ? (shown.at(-1) ?? null) : null };
}
