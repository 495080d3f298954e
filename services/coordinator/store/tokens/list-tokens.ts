import type { Page } from '../records.ts';
import type { Store } from '../store.ts';
import { toTokenRecord } from './token-record.ts';
import type { TokenRecord } from './token-record.ts';

export interface TokenKey {
  /** As PostgreSQL spells it, with its microseconds. */
  readonly createTime: string;
  readonly tokenId: string;
}

/** Tokens, newest first, the ended ones among them. */
export async function listTokens(
  store: Store,
  after: TokenKey | null,
  limit: number,
): Promise<Page<TokenRecord, TokenKey>> {
  const { rows: keys } = await store.pool.query<{ token_id: string; key_time: string }>(
    `SELECT token_id, create_time::text AS key_time FROM tokens
      WHERE $1::timestamptz IS NULL OR (create_time, token_id) < ($1::timestamptz, $2)
      ORDER BY create_time DESC, token_id DESC LIMIT $3`,
    [after?.createTime ?? null, after?.tokenId ?? null, limit + 1],
  );
  const shown = keys.slice(0, limit);
  const rows = await store.prisma.token.findMany({ where: { tokenId: { in: shown.map(({ token_id }) => token_id) } } });
  const byId = new Map(rows.map((row) => [row.tokenId, toTokenRecord(row)]));
  const last = shown.at(-1);
  return {
    items: shown.flatMap(({ token_id }) => byId.get(token_id) ?? []),
    next: keys.length > limit && last ? { createTime: last.key_time, tokenId: last.token_id } : null,
  };
}
