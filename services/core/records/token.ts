import type { TokenRole } from '../token-role.ts';

/** A token without its secret and without its hash. */
export interface TokenRecord {
  readonly tokenId: string;
  readonly name: string;
  readonly role: TokenRole | null;
  readonly createTime: Date;
  /** Null: it never expires. */
  readonly expireTime: Date | null;
  readonly revokeTime: Date | null;
  /** Up to one minute earlier than the last call; null before the first call. */
  readonly lastUseTime: Date | null;
  /** Trainers that the token may act for; empty: any trainer. */
  readonly trainerIds: readonly string[];
}
