import type { Signals } from '../signals.ts';
import type { Store } from '../store.ts';
import { isSettled } from './is-settled.ts';
import type { StoredEvent } from '../../../core/records/event.ts';
import { readEvents } from './read-events.ts';

/** Events read at a time. */
export const PAGE_SIZE = 500;

/** What a watcher sees when it looks. */
export interface Look {
  /** After the cursor, oldest first, at most `PAGE_SIZE`. */
  readonly events: readonly StoredEvent[];
  /** Whether nothing comes after them, once fewer than a page are read. */
  readonly isOver: boolean;
}

/**
 * Reads events for many watchers. Those of one sweep are woken by the same notification and stand at the same cursor, so they look
 * at the same moment at the same rows: such looks are one. Nothing is kept once it has been answered.
 */
export class EventFeed {
  readonly #store: Store;
  readonly #signals: Signals;
  readonly #looks = new Map<string, Promise<Look>>();

  constructor(store: Store, signals: Signals) {
    this.#store = store;
    this.#signals = signals;
  }

  /** @throws NotFoundError */
  look(sweepId: string, cursor: bigint): Promise<Look> {
    // A look that began before the last notification may have missed what that one told of.
    const key = `${sweepId} ${cursor} ${this.#signals.eventGeneration}`;
    const known = this.#looks.get(key);
    if (known !== undefined) return known;
    const look = this.#look(sweepId, cursor).finally(() => this.#looks.delete(key));
    this.#looks.set(key, look);
    return look;
  }

  async #look(sweepId: string, cursor: bigint): Promise<Look> {
    // Asked before the events are read: what is written in between is still seen by the read.
    const isOver = await isSettled(this.#store, sweepId);
    return { isOver, events: await readEvents(this.#store.pool, sweepId, cursor, PAGE_SIZE) };
  }
}
