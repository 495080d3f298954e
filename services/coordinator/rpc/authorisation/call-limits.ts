import { LRUCache } from 'lru-cache';
import { RateLimitedError } from '../../../core/errors.ts';

export interface CallLimitsOptions {
  /** Calls per second of one token; a burst may have twice as many. */
  readonly callsPerSecond: number;
  /** Streams and waiting calls that one token may have open at once. */
  readonly openCalls: number;
  /** Refusals per second of one address; a burst may have ten times as many. */
  readonly refusalsPerSecond?: number;
  readonly now?: () => number;
}

/** Leaves room for a person who mistypes a token, and keeps a client that guesses from a database lookup per guess. */
const REFUSALS_PER_SECOND = 10;
/** Buckets kept for tokens, and as many for addresses. The least recently used one is evicted, which fills it. */
const MAX_BUCKETS = 10_000;
/** Retry-after for calls over the concurrency limit. It is a guess: when a call will end is unknown. */
const OPEN_RETRY_MS = 1_000;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Limits the rate and the concurrency of calls for each token, and the rate of refusals for each address. */
export class CallLimits {
  readonly #options: CallLimitsOptions;
  readonly #now: () => number;
  readonly #calls = new LRUCache<string, Bucket>({ max: MAX_BUCKETS });
  readonly #refusals = new LRUCache<string, Bucket>({ max: MAX_BUCKETS });
  readonly #open = new Map<string, number>();

  constructor(options: CallLimitsOptions) {
    this.#options = options;
    this.#now = options.now ?? ((): number => performance.now());
  }

  /**
   * Counts a call of a token.
   *
   * @returns a function to call when the call has ended.
   * @throws RateLimitedError when the token has too many calls open, or makes too many per second.
   */
  begin(tokenId: string): () => void {
    const { callsPerSecond, openCalls } = this.#options;
    const open = this.#open.get(tokenId) ?? 0;
    if (open >= openCalls) {
      throw new RateLimitedError(`A token may have ${openCalls} calls open at once.`, OPEN_RETRY_MS);
    }
    const bucket = this.#bucket(this.#calls, tokenId, callsPerSecond, 2 * callsPerSecond);
    if (bucket.tokens < 1) {
      const retryMs = Math.ceil(((1 - bucket.tokens) / callsPerSecond) * 1_000);
      throw new RateLimitedError(`A token may make ${callsPerSecond} calls a second.`, retryMs);
    }
    bucket.tokens -= 1;
    this.#open.set(tokenId, open + 1);
    return () => {
      const left = (this.#open.get(tokenId) ?? 1) - 1;
      if (left === 0) this.#open.delete(tokenId);
      else this.#open.set(tokenId, left);
    };
  }

  /**
   * Checks the address of a call whose token is not known to be valid.
   *
   * @throws RateLimitedError when tokens from this address were refused too often.
   */
  checkAddress(address: string): void {
    const perSecond = this.#refusalsPerSecond;
    const { tokens } = this.#bucket(this.#refusals, address, perSecond, 10 * perSecond);
    if (tokens >= 1) return;
    throw new RateLimitedError(
      'Too many calls from this address had no valid token.',
      Math.ceil(((1 - tokens) / perSecond) * 1_000),
    );
  }

  recordRefusal(address: string): void {
    const perSecond = this.#refusalsPerSecond;
    this.#bucket(this.#refusals, address, perSecond, 10 * perSecond).tokens -= 1;
  }

  get #refusalsPerSecond(): number {
    return this.#options.refusalsPerSecond ?? REFUSALS_PER_SECOND;
  }

  /** Returns the bucket as it is now. It fills with `perSecond` tokens a second up to `most`. */
  #bucket(buckets: LRUCache<string, Bucket>, key: string, perSecond: number, most: number): Bucket {
    const now = this.#now();
    const { tokens, filledAt } = buckets.get(key) ?? { tokens: most, filledAt: now };
    const bucket = { tokens: Math.min(most, tokens + ((now - filledAt) / 1_000) * perSecond), filledAt: now };
    buckets.set(key, bucket);
    return bucket;
  }
}
