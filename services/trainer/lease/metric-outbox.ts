import type { RungReport } from '../../core/task.ts';
import { ReportRefusedError } from '../../core/trainer-errors.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import type { EpochReport, MetricAnswer, MetricBatch, TaskLease } from './coordinator-port.ts';
import type { MetricJournal } from './metric-journal.ts';

/** Keeps a message far below the size limit: 256 epochs of seven metrics are about 20 kB. */
const MAX_EPOCHS_PER_BATCH = 256;
/** Bytes of the results by image of a batch. With its epochs it stays below 1 MB, the maximum of a message. */
const MAX_RUNG_BYTES = 900_000;
/** Bytes of a report besides its results: identity, epoch and lengths. */
const RUNG_HEADER_BYTES = 128;

/** Thrown when the outbox is closed: the lease was lost, or the coordinator refused a batch permanently. */
export class OutboxClosedError extends Error {
  override readonly name = 'OutboxClosedError';
  readonly reason: 'LEASE_LOST' | 'METRIC_CONFLICT' | 'REPORT_REFUSED' | 'SEQUENCE_LOST' | 'DROPPED';

  constructor(lease: TaskLease, reason: OutboxClosedError['reason'], detail = '') {
    const why = detail === '' ? reason : `${reason}: ${detail}`;
    super(`Metrics of task ${lease.taskId} (lease ${lease.leaseEpoch}) can't be reported any more: ${why}.`);
    this.reason = reason;
  }
}

/** Returns whether the coordinator refused a report because it can't be true. */
export function isRefusedReport(error: unknown): boolean {
  return error instanceof OutboxClosedError ? error.reason === 'REPORT_REFUSED' : error instanceof ReportRefusedError;
}

interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The epochs of one attempt, and their results by image, as numbered batches, which are kept until the coordinator has acknowledged them. */
export class MetricOutbox {
  readonly lease: TaskLease;
  readonly #journal: MetricJournal;
  readonly #unacknowledged: MetricBatch[] = [];
  #epochs: EpochReport[] = [];
  #rungs: RungReport[] = [];
  #rungBytes = 0;
  #nextSequence = 1;
  /** Sequence number of the next batch to send. */
  #cursor = 1;
  #closed: OutboxClosedError | null = null;
  #waiters: Waiter[] = [];

  constructor(lease: TaskLease, journal: MetricJournal) {
    this.lease = lease;
    this.#journal = journal;
  }

  /** Reason why nothing more can be reported; null while the outbox is open. */
  get closed(): OutboxClosedError | null {
    return this.#closed;
  }

  get hasUnacknowledged(): boolean {
    return this.#unacknowledged.length > 0;
  }

  add(epoch: EpochReport): void {
    if (this.#closed !== null) return;
    this.#epochs.push(epoch);
    if (this.#epochs.length >= MAX_EPOCHS_PER_BATCH) this.seal();
  }

  /** Adds results by image, in the batch of their epoch or a later one. */
  addRung(report: RungReport): void {
    if (this.#closed !== null) return;
    const bytes = RUNG_HEADER_BYTES + report.correct.byteLength + (report.losses?.byteLength ?? 0);
    if (this.#rungBytes + bytes > MAX_RUNG_BYTES) this.seal();
    this.#rungs.push(report);
    this.#rungBytes += bytes;
  }

  /** Makes a batch of what was added; its number and content never change. */
  seal(): void {
    if (this.#closed !== null || (this.#epochs.length === 0 && this.#rungs.length === 0)) return;
    const batch: MetricBatch = {
      ...this.lease,
      sequence: this.#nextSequence,
      epochs: this.#epochs,
      rungs: this.#rungs,
    };
    this.#journal.append(batch);
    failpoint('metrics.journaled');
    this.#unacknowledged.push(batch);
    this.#nextSequence += 1;
    this.#epochs = [];
    this.#rungs = [];
    this.#rungBytes = 0;
  }

  /**
   * Resolves when everything added so far is durable.
   *
   * @throws {OutboxClosedError} when the outbox is closed first.
   */
  async acknowledged(): Promise<void> {
    this.seal();
    const sequence = this.#nextSequence - 1;
    if (this.#closed !== null) throw this.#closed;
    if (this.#unacknowledged.length === 0) return;
    await new Promise<void>((resolve, reject) => this.#waiters.push({ sequence, resolve, reject }));
  }

  /** Returns the next batch that the current stream has not sent; null if there is none. */
  takeNext(): MetricBatch | null {
    if (this.#closed !== null) return null;
    const batch = this.#unacknowledged.find(({ sequence }) => sequence >= this.#cursor);
    if (batch === undefined) return null;
    this.#cursor = batch.sequence + 1;
    return batch;
  }

  /** Starts a new stream, which resends every batch that is not acknowledged. */
  rewind(): void {
    this.#cursor = this.#unacknowledged[0]?.sequence ?? this.#nextSequence;
  }

  receive(answer: MetricAnswer): void {
    if (this.#closed !== null) return;
    switch (answer.refusal) {
      case null:
        this.#acknowledge(answer.sequence);
        return;
      case 'SEQUENCE_GAP':
        this.#goBackTo(answer.expectedSequence);
        return;
      case 'LEASE_LOST':
      case 'LEASE_NOT_HELD':
        this.close('LEASE_LOST');
        return;
      case 'METRIC_CONFLICT':
      case 'REPORT_REFUSED':
        this.close(answer.refusal, answer.message);
    }
  }

  /** Closes the outbox: nothing more is sent, and pending `acknowledged` calls reject. */
  close(reason: OutboxClosedError['reason'], detail?: string): void {
    if (this.#closed !== null) return;
    this.#closed = new OutboxClosedError(this.lease, reason, detail);
    this.#unacknowledged.length = 0;
    this.#epochs = [];
    this.#rungs = [];
    for (const waiter of this.#waiters) waiter.reject(this.#closed);
    this.#waiters = [];
  }

  #acknowledge(sequence: number): void {
    const kept = this.#unacknowledged.findIndex((batch) => batch.sequence > sequence);
    this.#unacknowledged.splice(0, kept === -1 ? this.#unacknowledged.length : kept);
    for (const waiter of this.#waiters.filter((w) => w.sequence <= sequence)) waiter.resolve();
    this.#waiters = this.#waiters.filter((w) => w.sequence > sequence);
  }

  #goBackTo(expected: number): void {
    const first = this.#unacknowledged[0]?.sequence ?? this.#nextSequence;
    // Acknowledged batches are no longer here, so they can't be resent to a coordinator that lost them.
    if (expected < first || expected > this.#nextSequence) this.close('SEQUENCE_LOST');
    else this.#cursor = expected;
  }
}
