import type { TokenRole } from '../../../core/token-role.ts';
import type { Store } from '../store.ts';

export interface LookedUpToken {
  readonly tokenId: string;
  readonly name: string;
  readonly role: TokenRole;
  /** Trainers for which it may call; empty: any. */
  readonly trainerIds: readonly string[];
  readonly state: 'LIVE' | 'EXPIRED' | 'REVOKED';
}

/**
 * Finds a token by its hash and records its use, once a minute. One statement, because every coordinator runs it every few seconds
 * for each token in use.
 *
 * @returns null when no token has this hash.
 */
export async function lookUpToken({ pool }: Pick<Store, 'pool'>, tokenHash: string): Promise<LookedUpToken | null> {
  const { rows } = await pool.query<LookedUpToken>(
    `WITH found AS (
       SELECT token_id, name, role, trainer_ids, last_use_time,
              CASE WHEN revoke_time IS NOT NULL THEN 'REVOKED' WHEN expire_time <= now() THEN 'EXPIRED' ELSE 'LIVE' END AS state
         FROM tokens WHERE token_hash = $1
     ), used AS (
       UPDATE tokens t SET last_use_time = now() FROM found f
        WHERE t.token_id = f.token_id AND f.state = 'LIVE'
          AND (f.last_use_time IS NULL OR f.last_use_time < now() - interval '1 minute')
     )
     SELECT token_id AS "tokenId", name, role, trainer_ids AS "trainerIds", state FROM found`,
    [tokenHash],
  );
  return rows[0] ?? null;
}
