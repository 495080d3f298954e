import type { Store } from '../store.ts';
import { leaseKey } from './fence-attempts.ts';
import { ingestBatches } from './ingest-batches.ts';
import type { BatchOutcome } from './ingest-batches.ts';
import { countPoints } from './metric-batch.ts';
import type { MetricBatch } from './metric-batch.ts';

/** Most concurrent transactions: while one commits, another inserts. */
const MAX_TRANSACTIONS = 2;
/** Most points of one transaction: some 80 ms of the server's time, and a few of the event loop's. */
const MAX_POINTS = 8_192;
/** Most points waiting from all streams. Above it no stream is read; 64 Ki points are 5 MB of memory. */
const MAX_WAITING_POINTS = 65_536;

interface Waiting {
  readonly batch: MetricBatch;
  readonly key: string;
  readonly points: number;
  readonly resolve: (stoppedRunIds: readonly string[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Collects the batches of all streams of this coordinator. Those that arrive during a transaction share the next one, which
 * amortizes its cost (some ten round trips and a flush of the log). An idle coordinator stores a batch at once. Batches of one attempt
 * are stored in the order of their arrival.
 */
export class MetricIngest {
  readonly #store: Store;
  #waiting: Waiting[] = [];
  /** Attempts in current transactions. Their next batches wait, to keep the order. */
  readonly #busy = new Set<string>();
  #points = 0;
  #transactions = 0;
  #isScheduled = false;
  #wakeReaders: (() => void)[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /** Resolves when the next batch may be read. */
  async room(): Promise<void> {
    while (this.#points >= MAX_WAITING_POINTS) {
      await new Promise<void>((resolve) => this.#wakeReaders.push(resolve));
    }
  }

  /**
   * Resolves when the batch is durable, with the runs of the group that must stop.
   *
   * @throws LeaseLostError, LeaseNotHeldError, SequenceGapError, MetricConflictError (nothing of the batch is stored; the run is marked),
   * InvalidRequestError and DatabaseUnavailableError.
   */
  submit(batch: MetricBatch): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const points = countPoints(batch);
      this.#points += points;
      this.#waiting.push({ batch, key: leaseKey(batch), points, resolve, reject });
      this.#schedule();
    });
  }

  /** Schedules a transaction for the next turn of the event loop, so that batches that arrive together share it. */
  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0 || this.#transactions >= MAX_TRANSACTIONS) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const taken = this.#take();
      if (taken.length > 0) void this.#run(taken);
    });
  }

  /** Takes the oldest batches of attempts that are in no other transaction. */
  #take(): readonly Waiting[] {
    const taken: Waiting[] = [];
    const kept: Waiting[] = [];
    // Attempts with a batch that stays: their later batches must not overtake it.
    const passed = new Set(this.#busy);
    let points = 0;
    for (const waiting of this.#waiting) {
      const isFull = taken.length > 0 && points + waiting.points > MAX_POINTS;
      if (isFull || passed.has(waiting.key)) {
        kept.push(waiting);
        passed.add(waiting.key);
      } else {
        taken.push(waiting);
        points += waiting.points;
      }
    }
    this.#waiting = kept;
    for (const { key } of taken) this.#busy.add(key);
    return taken;
  }

  async #run(taken: readonly Waiting[]): Promise<void> {
    this.#transactions += 1;
    this.#schedule();
    try {
      const outcomes = await ingestBatches(
        this.#store,
        taken.map(({ batch }) => batch),
      );
      for (const [index, waiting] of taken.entries()) answer(waiting, outcomes[index]);
    } catch (error) {
      for (const { reject } of taken) reject(error);
    }
    this.#transactions -= 1;
    for (const { key, points } of taken) {
      this.#busy.delete(key);
      this.#points -= points;
    }
    for (const wake of this.#wakeReaders.splice(0)) wake();
    this.#schedule();
  }
}

function answer({ resolve, reject }: Waiting, outcome: BatchOutcome | undefined): void {
  if (outcome?.kind === 'STORED') resolve(outcome.stoppedRunIds);
  else reject(outcome?.error ?? new Error('A batch has no outcome.'));
}
