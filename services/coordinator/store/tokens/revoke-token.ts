import { NotFoundError } from '../../../core/errors.ts';
import type { Store } from '../store.ts';
import { toTokenRecord } from './token-record.ts';
import type { TokenRecord } from '../../../core/records/token.ts';

/**
 * Revokes a token. A token that was revoked before keeps the time of its first revocation.
 *
 * @throws NotFoundError
 */
export async function revokeToken(store: Store, tokenId: string): Promise<TokenRecord> {
  await store.pool.query('UPDATE tokens SET revoke_time = now() WHERE token_id = $1 AND revoke_time IS NULL', [
    tokenId,
  ]);
  const row = await store.prisma.token.findUnique({ where: { tokenId } });
  if (row === null) throw new NotFoundError('token', tokenId);
  return toTokenRecord(row);
}
