import type { TokenRole } from '../../../core/token-role.ts';
import type { Store } from '../store.ts';
import { toTokenRecord } from './token-record.ts';
import type { TokenRecord } from '../../../core/records/token.ts';

export interface TokenToCreate {
  readonly tokenId: string;
  /** A hash from `hashOfToken`. */
  readonly tokenHash: string;
  readonly name: string;
  readonly role: TokenRole;
  /** Trainers for which it may call; empty: any. TRAINER only. */
  readonly trainerIds: readonly string[];
  /** null: it never expires. */
  readonly expireTime: Date | null;
}

export async function createToken(store: Pick<Store, 'prisma'>, token: TokenToCreate): Promise<TokenRecord> {
  return toTokenRecord(await store.prisma.token.create({ data: { ...token, trainerIds: [...token.trainerIds] } }));
}
