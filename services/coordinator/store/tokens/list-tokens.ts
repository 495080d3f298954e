import type { Page } from '../page.ts';
import { latestFirst } from '../latest-first.ts';
import type { Store } from '../store.ts';
import { toTokenRecord } from './token-record.ts';
import type { TokenRecord } from '../../../core/records/token.ts';

export interface TokenKey {
  readonly createTime: string;
  readonly tokenId: string;
}

/** Lists tokens, latest first, including expired and revoked ones. */
export async function listTokens(
  store: Store,
  after: TokenKey | null,
  limit: number,
): Promise<Page<TokenRecord, TokenKey>> {
  const key = after && { createTime: after.createTime, id: after.tokenId };
  const { ids, next } = await latestFirst(store, 'tokens', key, limit);
  const rows = await store.prisma.token.findMany({ where: { tokenId: { in: ids } } });
  const byId = new Map(rows.map((row) => [row.tokenId, toTokenRecord(row)]));
  return {
    items: ids.flatMap((tokenId) => byId.get(tokenId) ?? []),
    next: next && { createTime: next.createTime, tokenId: next.id },
  };
}
