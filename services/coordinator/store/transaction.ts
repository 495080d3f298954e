import type { PoolClient, QueryResult, QueryResultRow } from 'pg';
import { withTransaction } from '../../platform/db/transaction.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import type { FailpointTransaction } from '../../platform/lifecycle/failpoint.ts';
import { appendEvents } from './events/append-events.ts';
import type { SweepEvent } from './events/event.ts';
import { appendOutbox } from './outbox/append-outbox.ts';
import { entriesOf, OutboxDraft } from './outbox/outbox-entry.ts';
import type { OutboxEntry } from './outbox/outbox-entry.ts';
import type { Store } from './store.ts';

/** One transaction: its statements and the events it leaves. Triggers notify whoever waits, at the commit. */
export class StoreTransaction {
  readonly #client: PoolClient;
  readonly #events = new Map<string, SweepEvent[]>();
  /** null: nothing is mirrored. */
  readonly #outbox: OutboxDraft | null;
  /** Sweeps the caller must settle afterwards, each in a transaction of its own: only one sweep may be locked at a time. */
  readonly otherSweeps = new Set<string>();

  constructor(client: PoolClient, isMirrored: boolean) {
    this.#client = client;
    this.#outbox = isMirrored ? new OutboxDraft() : null;
  }

  async query<R extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<QueryResult<R>> {
    return this.#client.query<R>(text, [...values]);
  }

  /** Kept back to the end of the transaction, because writing events takes the last lock. */
  emit(sweepId: string, event: SweepEvent): void {
    const events = this.#events.get(sweepId);
    if (events) events.push(event);
    else this.#events.set(sweepId, [event]);
    for (const entry of entriesOf(event)) this.mirror(sweepId, entry);
  }

  /** Leaves something to be sent to MLflow, where a server is set; events of states and results do so by themselves. */
  mirror(sweepId: string, entry: OutboxEntry): void {
    this.#outbox?.add(sweepId, entry);
  }

  async writeEvents(): Promise<void> {
    if (this.#outbox) await appendOutbox(this.#client, this.#outbox);
    for (const sweepId of [...this.#events.keys()].sort()) {
      await appendEvents(this.#client, sweepId, this.#events.get(sweepId) ?? []);
    }
  }
}

/**
 * Runs `work` in one READ COMMITTED transaction and writes its outbox entries and events last. A deadlock makes it again from
 * its beginning, so `work` must have no effect outside it; when the connection is lost during the commit, the caller's caller
 * finds out by calling again (every write is idempotent).
 *
 * @param name of its failpoints, where it has some.
 * @throws DatabaseUnavailableError when the database can't be reached; whatever `work` throws.
 */
export async function inTransaction<T>(
  store: Store,
  work: (tx: StoreTransaction) => Promise<T>,
  name?: FailpointTransaction,
): Promise<T> {
  const committed = await withTransaction(
    store.pool,
    async (client) => {
      const tx = new StoreTransaction(client, store.isMirrored);
      const result = await work(tx);
      await tx.writeEvents();
      if (name !== undefined) failpoint(`${name}.uncommitted`);
      return result;
    },
    { log: store.log },
  );
  if (name !== undefined) failpoint(`${name}.committed`);
  return committed;
}
