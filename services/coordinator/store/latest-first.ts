import type { Store } from './store.ts';

/** Tables whose lists begin with the latest row, each with its key. */
const KEYS = { sweeps: 'sweep_id', datasets: 'dataset_id', tokens: 'token_id' } as const;

/** The position after which such a list continues. */
export interface LatestKey {
  /** PostgreSQL's own spelling, because a JavaScript date would drop the microseconds and rows of the same millisecond with them. */
  readonly createTime: string;
  readonly id: string;
}

/** Identities of a page of rows; `next` is null on the last page. */
export interface IdPage {
  readonly ids: string[];
  readonly next: LatestKey | null;
}

/** Returns the identities of the next rows of a list; `next` is null on the last page. */
export async function latestFirst(
  { pool }: Pick<Store, 'pool'>,
  table: keyof typeof KEYS,
  after: LatestKey | null,
  limit: number,
): Promise<IdPage> {
  const key = KEYS[table];
  const { rows } = await pool.query<LatestKey>(
    `SELECT ${key} AS id, create_time::text AS "createTime" FROM ${table}
      WHERE $1::timestamptz IS NULL OR (create_time, ${key}) < ($1::timestamptz, $2)
      ORDER BY create_time DESC, ${key} DESC LIMIT $3`,
    [after?.createTime ?? null, after?.id ?? null, limit + 1],
  );
  return pageOf(rows, limit);
}

/** Returns the identities of the next sweeps with a tag. */
export async function latestTagged(
  { pool }: Pick<Store, 'pool'>,
  tag: string,
  after: LatestKey | null,
  limit: number,
): Promise<IdPage> {
  const { rows } = await pool.query<LatestKey>(
    `SELECT sweep_id AS id, create_time::text AS "createTime" FROM sweeps
      WHERE tags @> ARRAY[$1] AND ($2::timestamptz IS NULL OR (create_time, sweep_id) < ($2::timestamptz, $3))
      ORDER BY create_time DESC, sweep_id DESC LIMIT $4`,
    [tag, after?.createTime ?? null, after?.id ?? null, limit + 1],
  );
  return pageOf(rows, limit);
}

/** @param rows one more than the limit if there are further pages. */
function pageOf(rows: readonly LatestKey[], limit: number): IdPage {
  const shown = rows.slice(0, limit);
  return { ids: shown.map(({ id }) => id), next: rows.length > limit ? (shown.at(-1) ?? null) : null };
}
