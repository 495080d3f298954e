import { createHash, randomBytes } from 'node:crypto';

/** A token's secret, which the client presents, and its hash, which the database stores. */
export interface NewToken {
  /** `graft_` and 32 random bytes as base64url: 49 characters, easily found by scanners for leaked secrets. */
  readonly secret: string;
  readonly hash: string;
}

export function newToken(): NewToken {
  const secret = `graft_${randomBytes(32).toString('base64url')}`;
  return { secret, hash: hashOfToken(secret) };
}

/** Returns the SHA-256, hexadecimal. For 256 random bits a slow hash or a salt would add no protection. */
export function hashOfToken(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
