import { LRUCache } from 'lru-cache';
import { UnauthenticatedError } from '../../../core/errors.ts';
import type { TokenRole } from '../../../core/token-role.ts';
import type { LookedUpToken } from '../../store/tokens/look-up-token.ts';

/** A token that is valid now. */
export interface LiveToken {
  readonly tokenId: string;
  readonly name: string;
  readonly role: TokenRole;
  /** Trainers that the token may act for. Empty: any that its role allows. */
  readonly trainerIds: readonly string[];
}

export interface TokenCacheOptions {
  readonly lookUp: (tokenHash: string) => Promise<LookedUpToken | null>;
  /** Life of a lookup in milliseconds. A revocation takes effect within this time, in open streams within twice this time. */
  readonly freshMs?: number;
  /** Most entries. Unknown tokens are kept as well, otherwise each of their calls would query the database. */
  readonly maxEntries?: number;
  readonly now?: () => number;
}

interface Entry {
  readonly found: Promise<LookedUpToken | null>;
  readonly lookedUpAt: number;
  isLive: boolean;
}

const FRESH_MS = 2_500;
const MAX_ENTRIES = 10_000;

/**
 * Looks a token up at most once per `freshMs`, whatever its number of calls, and ends the open calls of tokens that have ended.
 * Keeps only hashes of tokens (`hashOfToken`).
 */
export class TokenCache implements Disposable {
  readonly #options: TokenCacheOptions;
  readonly #freshMs: number;
  /** Evicts the entry that was looked up first: reads use `peek`, which leaves the order alone. */
  readonly #entries: LRUCache<string, Entry>;
  /** Calls in progress by the hash of their token. */
  readonly #open = new Map<string, Set<(error: UnauthenticatedError) => void>>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: TokenCacheOptions) {
    this.#options = options;
    this.#freshMs = options.freshMs ?? FRESH_MS;
    this.#entries = new LRUCache({ max: options.maxEntries ?? MAX_ENTRIES });
  }

  /**
   * Returns the token with this hash.
   *
   * @throws UnauthenticatedError when it is unknown, revoked or expired; the error of the lookup, such as DatabaseUnavailableError.
   */
  async verify(hash: string): Promise<LiveToken> {
    return liveOrThrow(await this.#find(hash));
  }

  /** Returns whether the token was valid at its last lookup. Does not look it up. */
  isKnown(hash: string): boolean {
    return this.#entries.peek(hash)?.isLive === true;
  }

  /**
   * Calls `end` when the token ends while a call is in progress.
   *
   * @returns a function to call when the call has ended.
   */
  follow(hash: string, end: (error: UnauthenticatedError) => void): () => void {
    const calls = this.#open.get(hash) ?? new Set();
    this.#open.set(hash, calls.add(end));
    this.#timer ??= setInterval(() => void this.checkOpen(), this.#freshMs).unref();
    return () => {
      calls.delete(end);
      if (calls.size > 0) return;
      this.#open.delete(hash);
      if (this.#open.size === 0) this[Symbol.dispose]();
    };
  }

  /** Ends the calls whose token has ended. */
  async checkOpen(): Promise<void> {
    const checks = [...this.#open].map(async ([hash, calls]) => {
      try {
        liveOrThrow(await this.#find(hash));
      } catch (error) {
        // A database that is unavailable ends no call.
        if (error instanceof UnauthenticatedError) for (const end of calls) end(error);
      }
    });
    await Promise.all(checks);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer ?? undefined);
    this.#timer = null;
  }

  /** Concurrent calls share one lookup. */
  async #find(hash: string): Promise<LookedUpToken | null> {
    const now = (this.#options.now ?? Date.now)();
    const known = this.#entries.peek(hash);
    if (known !== undefined && now - known.lookedUpAt < this.#freshMs) return known.found;
    const entry: Entry = { found: this.#options.lookUp(hash), lookedUpAt: now, isLive: known?.isLive ?? false };
    this.#entries.set(hash, entry);
    try {
      const found = await entry.found;
      entry.isLive = found?.state === 'LIVE';
      return found;
    } catch (error) {
      if (this.#entries.peek(hash) === entry) this.#entries.delete(hash);
      throw error;
    }
  }
}

function liveOrThrow(found: LookedUpToken | null): LiveToken {
  if (found === null) throw new UnauthenticatedError('The token of this call is not one of this coordinator.');
  if (found.state === 'LIVE') return found;
  const ended = found.state === 'REVOKED' ? 'was revoked' : 'has expired';
  throw new UnauthenticatedError(`The token ${found.tokenId} (${found.name}) ${ended}.`);
}
