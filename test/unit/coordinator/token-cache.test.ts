import { describe, expect, it } from 'vitest';
import { DatabaseUnavailableError, UnauthenticatedError } from '../../../services/core/errors.ts';
import { hashOfToken, newToken } from '../../../services/coordinator/new-token.ts';
import { TokenCache } from '../../../services/coordinator/rpc/authorisation/token-cache.ts';
import type { LookedUpToken } from '../../../services/coordinator/store/tokens/look-up-token.ts';
import { TOKEN_PATTERN } from '../../../services/platform/config/connection-settings.ts';

const FRESH_MS = 2_500;

/** Returns a cache over rows that a test may change, with a clock that it sets. */
function bench(maxEntries?: number) {
  const rows = new Map<string, LookedUpToken>();
  const state = { now: 0, lookUps: 0, isUnavailable: false };
  const cache = new TokenCache({
    now: () => state.now,
    freshMs: FRESH_MS,
    ...(maxEntries === undefined ? {} : { maxEntries }),
    lookUp: (hash) => {
      state.lookUps += 1;
      if (state.isUnavailable) return Promise.reject(new DatabaseUnavailableError('unavailable'));
      return Promise.resolve(rows.get(hash) ?? null);
    },
  });
  const add = (change: Partial<LookedUpToken> = {}): string => {
    const { secret, hash } = newToken();
    rows.set(hash, { tokenId: 't1', name: 'ana', role: 'VIEWER', trainerIds: [], state: 'LIVE', ...change });
    return secret;
  };
  const end = (secret: string): void => {
    rows.set(hashOfToken(secret), { tokenId: 't1', name: 'ana', role: 'VIEWER', trainerIds: [], state: 'REVOKED' });
  };
  return { cache, state, add, end };
}

describe('the cache of tokens', () => {
  it('looks a token up once for many calls, and again when the lookup is old', async () => {
    const { cache, state, add } = bench();
    const secret = add();
    for (let call = 0; call < 500; call += 1)
      expect(await cache.verify(hashOfToken(secret))).toMatchObject({ role: 'VIEWER' });
    await Promise.all(Array.from({ length: 500 }, () => cache.verify(hashOfToken(secret))));
    expect(state.lookUps).toBe(1);
    state.now += FRESH_MS;
    await Promise.all(Array.from({ length: 500 }, () => cache.verify(hashOfToken(secret))));
    expect(state.lookUps).toBe(2);
  });

  it('refuses unknown, revoked and expired tokens, and names the cause without the token', async () => {
    const { cache, state, add } = bench();
    const cases = [
      [newToken().secret, 'is not one of this coordinator'],
      [add({ state: 'REVOKED' }), 't1 (ana) was revoked'],
      [add({ state: 'EXPIRED' }), 't1 (ana) has expired'],
    ] as const;
    for (const [secret, text] of cases) {
      for (let call = 0; call < 10; call += 1) {
        const error: unknown = await cache.verify(hashOfToken(secret)).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(UnauthenticatedError);
        expect(String(error)).toContain(text);
        expect(String(error)).not.toContain(secret.slice(6));
      }
    }
    expect(state.lookUps).toBe(3);
  });

  it('applies a revocation within the life of a lookup', async () => {
    const { cache, state, add, end } = bench();
    const secret = add();
    await cache.verify(hashOfToken(secret));
    end(secret);
    state.now += FRESH_MS - 1;
    await cache.verify(hashOfToken(secret));
    state.now += 1;
    await expect(cache.verify(hashOfToken(secret))).rejects.toBeInstanceOf(UnauthenticatedError);
  });

  it('ends only the open calls of a token that ends', async () => {
    const { cache, state, add, end } = bench();
    const [one, other] = [add(), add({ tokenId: 't2' })];
    const ended: string[] = [];
    cache.follow(hashOfToken(one), () => ended.push('one'));
    cache.follow(hashOfToken(one), () => ended.push('one again'));
    const unfollow = cache.follow(hashOfToken(one), () => ended.push('left before'));
    cache.follow(hashOfToken(other), () => ended.push('other'));
    unfollow();
    await cache.checkOpen();
    end(one);
    state.now += FRESH_MS;
    await cache.checkOpen();
    expect(ended).toEqual(['one', 'one again']);
    cache[Symbol.dispose]();
  });

  it('ends nothing while the database is unavailable, and caches no failure', async () => {
    const { cache, state, add } = bench();
    const secret = add();
    let ended = 0;
    cache.follow(hashOfToken(secret), () => (ended += 1));
    state.isUnavailable = true;
    await expect(cache.verify(hashOfToken(secret))).rejects.toBeInstanceOf(DatabaseUnavailableError);
    await cache.checkOpen();
    expect(ended).toBe(0);
    state.isUnavailable = false;
    await expect(cache.verify(hashOfToken(secret))).resolves.toMatchObject({ name: 'ana' });
    cache[Symbol.dispose]();
  });

  it('does not grow with unknown tokens', async () => {
    const { cache, state, add } = bench(100);
    const secret = add();
    await cache.verify(hashOfToken(secret));
    for (let call = 0; call < 99; call += 1) await cache.verify(newToken().hash).catch(() => undefined);
    await cache.verify(hashOfToken(secret));
    expect(state.lookUps).toBe(100);
    await cache.verify(newToken().hash).catch(() => undefined);
    await cache.verify(hashOfToken(secret));
    expect(state.lookUps).toBe(102);
  });
});

describe('a new token', () => {
  it('has 256 bits in the recognised form, different each time', () => {
    const secrets = Array.from({ length: 100 }, () => newToken().secret);
    expect(new Set(secrets).size).toBe(100);
    for (const secret of secrets) {
      expect(secret).toMatch(TOKEN_PATTERN);
      expect(Buffer.from(secret.slice(6), 'base64url')).toHaveLength(32);
    }
  });
});
