import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient, QueryResult, QueryResultRow } from 'pg';
import { prepared } from '../../platform/db/prepared.ts';
import { together } from '../../platform/db/together.ts';
import { withTransaction } from '../../platform/db/transaction.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import type { FailpointTransaction } from '../../platform/lifecycle/failpoint.ts';
import { appendEvents } from './events/append-events.ts';
import type { SweepEvent } from '../../core/records/event.ts';
import { appendOutbox } from './outbox/append-outbox.ts';
import { entriesOf, OutboxDraft } from './outbox/outbox-entry.ts';
import type { OutboxEntry } from './outbox/outbox-entry.ts';
import type { Store } from './store.ts';

/** Half of the shortest time that the server lets a transaction be idle. */
const SIGN_OF_LIFE_MS = 1_000;

/** One transaction: its statements and the events it leaves. Triggers notify whoever waits, at the commit. */
export class StoreTransaction {
  readonly #client: PoolClient;
  readonly #events = new Map<string, SweepEvent[]>();
  /** null: nothing is mirrored. */
  readonly #outbox: OutboxDraft | null;
  /** Sweeps the caller must settle afterwards, each in a transaction of its own: only one sweep may be locked at a time. */
  readonly otherSweeps = new Set<string>();
  /** Trainers whose machine's faults the caller must weigh afterwards (`faults/review-benches.ts`): slots come before sweeps. */
  readonly suspects = new Set<string>();

  constructor(client: PoolClient, isMirrored: boolean) {
    this.#client = client;
    this.#outbox = isMirrored ? new OutboxDraft() : null;
  }

  async query<R extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<QueryResult<R>> {
    return this.#client.query<R>(text, [...values]);
  }

  /** For the statements of every lease, report and completion (platform/db/prepared.ts). */
  async prepared<R extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<QueryResult<R>> {
    return this.#client.query<R>(prepared(text, values));
  }

  /**
   * Waits for work outside the database with the transaction open. Speaks to the server meanwhile, which ends transactions of
   * coordinators that hang.
   */
  async during<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => true,
      () => true,
    );
    for (;;) {
      const waited = new AbortController();
      const pause = sleep(SIGN_OF_LIFE_MS, false, { signal: waited.signal }).catch(() => false);
      if (await Promise.race([ended, pause])) {
        waited.abort();
        return work;
      }
      await this.#client.query('SELECT 1');
    }
  }

  /** Kept back to the end of the transaction, because writing events takes the last lock. */
  emit(sweepId: string, event: SweepEvent): void {
    const events = this.#events.get(sweepId);
    if (events) events.push(event);
    else this.#events.set(sweepId, [event]);
    for (const entry of entriesOf(event)) this.mirror(sweepId, entry);
  }

  /** The events of a sweep that are to be written so far. */
  eventsOf(sweepId: string): readonly SweepEvent[] {
    return this.#events.get(sweepId) ?? [];
  }

  /** Leaves something to be sent to MLflow, where a server is set; events of states and results do so by themselves. */
  mirror(sweepId: string, entry: OutboxEntry): void {
    this.#outbox?.add(sweepId, entry);
  }

  /** Sends what writes the outbox entries and the events; throws before anything is sent where they can't be encoded. */
  sendEvents(): Promise<unknown> {
    const outbox = this.#outbox !== null && this.#outbox.entries.length > 0 ? [appendOutbox(this.#outbox)] : [];
    const events = [...this.#events].sort(([a], [b]) => (a < b ? -1 : 1));
    const statements = [...outbox, ...events.map(([sweepId, ofSweep]) => appendEvents(sweepId, ofSweep))];
    return together(statements.map((statement) => this.#client.query(statement)));
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
  const { result } = await withTransaction(
    store.pool,
    async (client) => {
      const tx = new StoreTransaction(client, store.isMirrored);
      const result = await work(tx);
      if (name !== undefined) failpoint(`${name}.uncommitted`);
      return { tx, result };
    },
    { log: store.log, last: ({ tx }) => tx.sendEvents() },
  );
  if (name !== undefined) failpoint(`${name}.committed`);
  return result;
}
