import type { PoolClient, QueryResult, QueryResultRow } from 'pg';
import { withTransaction } from '../../platform/db/transaction.ts';
import { appendEvents } from './events/append-events.ts';
import type { SweepEvent } from './events/event.ts';
import type { Store } from './store.ts';

/** One transaction: its statements and the events it leaves. Triggers notify whoever waits, at the commit. */
export class StoreTransaction {
  readonly #client: PoolClient;
  readonly #events = new Map<string, SweepEvent[]>();
  /** Sweeps the caller must settle afterwards, each in a transaction of its own: only one sweep may be locked at a time. */
  readonly otherSweeps = new Set<string>();

  constructor(client: PoolClient) {
    this.#client = client;
  }

  async query<R extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<QueryResult<R>> {
    return this.#client.query<R>(text, [...values]);
  }

  /** Kept back to the end of the transaction, because writing events takes the last lock. */
  emit(sweepId: string, event: SweepEvent): void {
    const events = this.#events.get(sweepId);
    if (events) events.push(event);
    else this.#events.set(sweepId, [event]);
  }

  async writeEvents(): Promise<void> {
    for (const sweepId of [...this.#events.keys()].sort()) {
      await appendEvents(this.#client, sweepId, this.#events.get(sweepId) ?? []);
    }
  }
}

/**
 * Runs `work` in one READ COMMITTED transaction and writes its events last. A deadlock makes it again from its beginning, so
 * `work` must have no effect outside it; when the connection is lost during the commit, the caller's caller finds out by
 * calling again (every write is idempotent).
 *
 * @throws DatabaseUnavailableError when the database can't be reached; whatever `work` throws.
 */
export async function inTransaction<T>(store: Store, work: (tx: StoreTransaction) => Promise<T>): Promise<T> {
  return withTransaction(
    store.pool,
    async (client) => {
      const tx = new StoreTransaction(client);
      const result = await work(tx);
      await tx.writeEvents();
      return result;
    },
    { log: store.log },
  );
}
