import { NotFoundError } from '../../../core/errors.ts';
import { isUnavailable } from '../../../platform/db/database-error.ts';
import type { Store } from '../store.ts';
import { askRound, pauseWithoutRound } from './ask-round.ts';

/** Rounds of one sweep that are dropped in a row before it is left to the reaper. */
const MAX_DROPPED = 5;

/**
 * Rounds that were found due by transactions of this coordinator. Each sweep has at most one in progress; a request that comes meanwhile
 * is served after it. What is not stored when the coordinator ends is computed by another one.
 */
export class RoundRequests implements AsyncDisposable {
  /** Rounds in progress by sweep. */
  readonly #asking = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  readonly #thread: AsyncDisposable;
  #store: Store | null = null;
  #isEnded = false;

  /** @param thread computes the rounds; ends with these requests */
  constructor(thread: AsyncDisposable) {
    this.#thread = thread;
  }

  /** Begins to serve requests. */
  serve(store: Store): void {
    this.#store = store;
  }

  request(sweepId: string): void {
    if (this.#isEnded || this.#store === null) return;
    if (this.#asking.has(sweepId)) {
      this.#again.add(sweepId);
      return;
    }
    const asking = this.#ask(this.#store, sweepId).finally(() => {
      this.#asking.delete(sweepId);
      if (this.#again.delete(sweepId)) this.request(sweepId);
    });
    this.#asking.set(sweepId, asking);
  }

  /** Drops the rounds that are being computed, and waits for those that are being stored. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    await this.#thread[Symbol.asyncDispose]();
    await Promise.all(this.#asking.values());
  }

  async #ask(store: Store, sweepId: string): Promise<void> {
    try {
      for (let dropped = 0; dropped < MAX_DROPPED; dropped += 1) {
        if (this.#isEnded || !(await askRound(store, sweepId))) return;
      }
    } catch (error) {
      await this.#report(store, sweepId, error);
    }
  }

  /** Pauses a sweep whose round fails, so that its user learns why nothing continues. */
  async #report(store: Store, sweepId: string, error: unknown): Promise<void> {
    // A person has deleted the sweep, or the coordinator ends.
    if (error instanceof NotFoundError || this.#isEnded) return;
    if (isUnavailable(error)) {
      store.log.warn({ err: error, sweep_id: sweepId }, 'round is left to the reaper: the database is unavailable');
      return;
    }
    store.log.error({ err: error, sweep_id: sweepId }, 'round could not be added');
    try {
      await pauseWithoutRound(store, sweepId, error instanceof Error ? error.message : String(error));
    } catch (second) {
      store.log.error({ err: second, sweep_id: sweepId }, 'sweep without its round could not be paused');
    }
  }
}
