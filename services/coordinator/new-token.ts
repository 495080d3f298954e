import { createHash, randomBytes } from 'node:crypto';

/** What a client shows, and what the record keeps of it. */
export interface NewToken {
  /** `graft_` and 32 random bytes as base64url: 49 characters, easily found by scanners for leaked secrets. */
  readonly secret: string;
  readonly hash: string;
}

export function newToken(): NewToken {
  const secret = `graft_${randomBytes(32).toString('base64url')}`;
  return { secret, hash: hashOfToken(secret) };
}

/** SHA-256, hexadecimal. Of 256 random bits a slow hash or a salt would protect nothing more. */
export function hashOfToken(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
