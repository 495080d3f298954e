import { setImmediate as nextTurn } from 'node:timers/promises';
import { RateLimitedError } from '../../../core/errors.ts';

/** Retry-after when too many calls wait. It is a guess: when a call will be answered is unknown. */
const RETRY_MS = 1_000;
const MAX_WAITING = 256;

/**
 * Keeps long answers from delaying the others. Only a few are in progress at a time, which leaves database connections for cheap
 * calls. Their work on the event loop is done in slices, of which each turn of the loop runs one.
 */
export class LongAnswers {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #lastTurn: Promise<unknown> = Promise.resolve();

  /** @param most answers in progress at a time */
  constructor(most: number) {
    this.#most = most;
  }

  /** Runs `work` when it is its turn. @throws RateLimitedError when too many calls wait */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#most) this.#running += 1;
    else {
      if (this.#waiting.length >= MAX_WAITING) {
        throw new RateLimitedError(`${MAX_WAITING} calls with long answers are waiting already.`, RETRY_MS);
      }
      // A call that ends hands its place over, so `#running` does not change.
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

  /** Resolves in a turn of the event loop in which no other slice runs. */
  turn(): Promise<unknown> {
    this.#lastTurn = this.#lastTurn.then(() => nextTurn());
    return this.#lastTurn;
  }
}
