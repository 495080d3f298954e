import type { TokenRole } from '../token-role.ts';

/** A token as it may be shown: neither its secret nor its hash. */
export interface TokenRecord {
  readonly tokenId: string;
  readonly name: string;
  readonly role: TokenRole;
  /** Trainers that it may speak for; empty: any. */
  readonly trainerIds: readonly string[];
  readonly createTime: Date;
  /** null: never. */
  readonly expireTime: Date | null;
  /** null: it was not revoked. */
  readonly revokeTime: Date | null;
  /** At most a minute before the last call; null: none so far. */
  readonly lastUseTime: Date | null;
}
