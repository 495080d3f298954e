import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient, QueryResult, QueryResultRow } from 'pg';
import type { SweepEvent } from '../../core/records/event.ts';
import { Batch } from '../../platform/db/batch.ts';
import { prepared } from '../../platform/db/prepared.ts';
import { withTransaction } from '../../platform/db/transaction.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import type { FailpointTransaction } from '../../platform/lifecycle/failpoint.ts';
import { addEvents } from './events/add-events.ts';
import { addOutboxEntries } from './outbox/add-outbox-entries.ts';
import { entriesOf, OutboxDraft } from './outbox/outbox-entry.ts';
import type { OutboxEntry } from './outbox/outbox-entry.ts';
import type { Store } from './store.ts';

/** Half of the shortest time that the server lets a transaction be idle. */
const KEEP_ALIVE_MS = 1_000;

/** One transaction: its statements and the events it leaves. Triggers notify all listeners at the commit. */
export class StoreTransaction {
  readonly #client: PoolClient;
  readonly #events = new Map<string, SweepEvent[]>();
  readonly #steps = new Set<FailpointTransaction>();
  /** null: nothing is mirrored. */
  readonly #outbox: OutboxDraft | null;
  /** The store without its connections: inside a transaction all SQL goes through the transaction. */
  readonly store: Omit<Store, 'pool' | 'prisma'>;
  /** Sweeps the caller must settle afterwards, each in a transaction of its own: only one sweep may be locked at a time. */
  readonly otherSweeps = new Set<string>();
  /** Sweeps whose next round is due. It is computed after the commit (`rounds/round-requests.ts`), because that may take seconds. */
  readonly dueRounds = new Set<string>();
  /** Trainers whose machine faults the caller must review afterwards (`faults/review-benches.ts`): slots come before sweeps. */
  readonly suspects = new Set<string>();

  constructor(client: PoolClient, store: Omit<Store, 'pool' | 'prisma'>) {
    this.#client = client;
    this.#outbox = store.isMirrored ? new OutboxDraft() : null;
    this.store = store;
  }

  async query<R extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<QueryResult<R>> {
    return this.#client.query<R>(text, [...values]);
  }

  /** Runs a statement of every lease, report and completion, which each connection parses once (`platform/db/prepared.ts`). */
  async prepared<R extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<QueryResult<R>> {
    return this.#client.query<R>(prepared(text, values));
  }

  /** Returns an empty batch, for statements that need none of each other's answers. */
  batch(): Batch {
    return new Batch(this.#client);
  }

  /**
   * Waits for work outside the database with the transaction open. Sends a statement each second meanwhile, because the server
   * ends transactions of coordinators that hang.
   */
  async during<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => true,
      () => true,
    );
    for (;;) {
      const waited = new AbortController();
      const pause = sleep(KEEP_ALIVE_MS, false, { signal: waited.signal }).catch(() => false);
      if (await Promise.race([ended, pause])) {
        waited.abort();
        return work;
      }
      await this.#client.query('SELECT 1');
    }
  }

  /** Records an event, which is written at the end of the transaction, because writing events takes the last lock. */
  emit(sweepId: string, event: SweepEvent): void {
    const events = this.#events.get(sweepId);
    if (events) events.push(event);
    else this.#events.set(sweepId, [event]);
    for (const entry of entriesOf(event)) this.mirror(sweepId, entry);
  }

  /** Names a step of the transaction, at whose commit a test can kill the process. */
  addStep(name: FailpointTransaction): void {
    this.#steps.add(name);
  }

  /** Passes the failpoints of the steps. */
  passSteps(when: 'uncommitted' | 'committed'): void {
    for (const name of this.#steps) failpoint(`${name}.${when}`);
  }

  /** Returns the events of a sweep that were emitted so far. */
  eventsOf(sweepId: string): readonly SweepEvent[] {
    return this.#events.get(sweepId) ?? [];
  }

  /** Leaves an outbox entry where an MLflow server is set; events of states and results leave theirs by themselves. */
  mirror(sweepId: string, entry: OutboxEntry): void {
    this.#outbox?.add(sweepId, entry);
  }

  /** Sends the statements that write the outbox entries and the events; throws before anything is sent where they can't be encoded. */
  sendEvents(): Promise<void> {
    const batch = this.batch();
    if (this.#outbox !== null && this.#outbox.entries.length > 0) addOutboxEntries(batch, this.#outbox);
    const events = [...this.#events].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [sweepId, ofSweep] of events) addEvents(batch, sweepId, ofSweep);
    return batch.send();
  }
}

/**
 * Runs `work` in one READ COMMITTED transaction and writes its outbox entries and events last. After a deadlock `work` is retried from
 * its beginning, so it must have no effect outside the transaction. When the connection is lost during the commit, the client's
 * retry of the call finds out (every write is idempotent).
 *
 * @param name of its failpoints, where it has some.
 * @throws DatabaseUnavailableError when the database can't be reached; whatever `work` throws.
 */
export async function inTransaction<T>(
  store: Store,
  work: (tx: StoreTransaction) => Promise<T>,
  name?: FailpointTransaction,
): Promise<T> {
  const { tx, result } = await withTransaction(
    store.pool,
    async (client) => {
      const tx = new StoreTransaction(client, store);
      if (name !== undefined) tx.addStep(name);
      const result = await work(tx);
      tx.passSteps('uncommitted');
      return { tx, result };
    },
    { log: store.log, last: ({ tx }) => tx.sendEvents() },
  );
  tx.passSteps('committed');
  for (const sweepId of tx.dueRounds) store.onRoundDue(sweepId);
  return result;
}
