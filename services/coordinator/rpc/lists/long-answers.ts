import { setImmediate as nextTurn } from 'node:timers/promises';
import { RateLimitedError } from '../../../core/errors.ts';

/** Retry-after where too many wait. It is a guess: when another one will be answered is unknown. */
const RETRY_MS = 1_000;
const MAX_WAITING = 256;

/**
 * Keeps answers that may be long from holding up the others: a few of them are in work at a time, so that connections are left for
 * cheap calls, and their work on the event loop is done in slices, one of all in a turn of the loop.
 */
export class LongAnswers {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #lastTurn: Promise<unknown> = Promise.resolve();

  /** @param most in work at a time */
  constructor(most: number) {
    this.#most = most;
  }

  /** @throws RateLimitedError where too many wait */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#most) this.#running += 1;
    else {
      if (this.#waiting.length >= MAX_WAITING) {
        throw new RateLimitedError(`${MAX_WAITING} calls with long answers are waiting already.`, RETRY_MS);
      }
      // The place of the one that ends is handed over, so that `#running` does not change.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /** Resolves in a turn of the event loop in which no other slice is done. */
  turn(): Promise<unknown> {
    this.#lastTurn = this.#lastTurn.then(() => nextTurn());
    return this.#lastTurn;
  }
}
