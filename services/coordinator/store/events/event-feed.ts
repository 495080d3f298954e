import type { StoredEvent } from '../../../core/records/event.ts';
import type { Signals } from '../signals.ts';
import type { Store } from '../store.ts';
import { isSettled } from './is-settled.ts';
import { readEvents } from './read-events.ts';

/** Most events of one poll. */
export const PAGE_SIZE = 500;

/** The answer to a watcher's poll. */
export interface Poll {
  /** Events after the cursor, oldest first, at most `PAGE_SIZE`. */
  readonly events: readonly StoredEvent[];
  /** True if no event follows these, once fewer than a page are read. */
  readonly isOver: boolean;
}

/**
 * Reads events for many watchers. Watchers of one sweep are woken by the same notification at the same cursor, so they poll
 * the same rows at the same moment: such polls share one read. Nothing is cached after the answer.
 */
export class EventFeed {
  readonly #store: Store;
  readonly #signals: Signals;
  readonly #polls = new Map<string, Promise<Poll>>();

  constructor(store: Store, signals: Signals) {
    this.#store = store;
    this.#signals = signals;
  }

  /** Returns the events after `cursor`. @throws NotFoundError */
  poll(sweepId: string, cursor: bigint): Promise<Poll> {
    // A poll that began before the latest notification may have missed the event of that notification.
    const key = `${sweepId} ${cursor} ${this.#signals.eventGeneration}`;
    const known = this.#polls.get(key);
    if (known !== undefined) return known;
    const poll = this.#read(sweepId, cursor).finally(() => this.#polls.delete(key));
    this.#polls.set(key, poll);
    return poll;
  }

  async #read(sweepId: string, cursor: bigint): Promise<Poll> {
    // Read before the events: an event that is written in between is still seen by the second read.
    const isOver = await isSettled(this.#store, sweepId);
    return { isOver, events: await readEvents(this.#store.pool, sweepId, cursor, PAGE_SIZE) };
  }
}
