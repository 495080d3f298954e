import { LRUCache } from 'lru-cache';
import { RateLimitedError } from '../../../core/errors.ts';

export interface CallLimitsOptions {
  /** Of one token; twice as many may come at once. */
  readonly callsPerSecond: number;
  /** Of one token: streams, and calls that wait for something. */
  readonly openCalls: number;
  /** Of one address; ten times as many may come at once. */
  readonly refusalsPerSecond?: number;
  readonly now?: () => number;
}

/** Somebody who mistyped a token tries again a few times; who guesses must not ask the database for each guess. */
const REFUSALS_PER_SECOND = 10;
/** Tokens, and addresses, whose buckets are kept. The bucket used least recently is evicted, which fills it. */
const MAX_BUCKETS = 10_000;
/** How long a call waits that would be one too many at the same time; nobody knows when another one ends. */
const OPEN_RETRY_MS = 1_000;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** How often a token may call, how much of it may be open, and how often an address may be refused. */
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
   * @returns to be called when the call has ended.
   * @throws RateLimitedError
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
   * For calls without a token that is known to be good.
   *
   * @throws RateLimitedError for an address whose tokens were refused too often.
   */
  checkAddress(address: string): void {
    const perSecond = this.#refusalsPerSecond;
    const { tokens } = this.#bucket(this.#refusals, address, perSecond, 10 * perSecond);
    if (tokens >= 1) return;
    throw new RateLimitedError(
      'Too many calls from this address had no good token.',
      Math.ceil(((1 - tokens) / perSecond) * 1_000),
    );
  }

  noteRefusal(address: string): void {
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
