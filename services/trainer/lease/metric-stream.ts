import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseTiming } from '../../core/lease.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import { NoAnswerError } from '../../platform/rpc/errors.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Coordinator, MetricAnswer, MetricBatch, TaskLease } from './coordinator-port.ts';
import { MetricJournal } from './metric-journal.ts';
import { MetricOutbox } from './metric-outbox.ts';
import { classifyFailure, retryDelayMs } from './patience.ts';

/** Epochs of cached features take milliseconds; what comes within this time shares a batch and a transaction. */
const BATCH_MS = 100;
/**
 * Batches that stay without any answer for this part of a lease (20 s of 30 s) mean that the stream is dead, whatever TCP
 * says.
 */
const ANSWER_TIMEOUT_SHARE = 2 / 3;

export interface MetricStreamOptions {
  readonly coordinator: Coordinator;
  readonly journalDirectory: string;
  readonly timing: () => LeaseTiming;
  readonly log: Logger;
  /** Runs of a fused group that must stop. */
  readonly onStoppedRuns: (lease: TaskLease, runIds: readonly string[]) => void;
  /** The coordinator does not know the trainer. */
  readonly register: () => Promise<void>;
}

/** One stream per trainer for the metrics of all its attempts; it is opened again and again until `stop`. */
export class MetricStream implements AsyncDisposable {
  readonly #options: MetricStreamOptions;
  readonly #outboxes = new Map<string, MetricOutbox>();
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #wake: (() => void) | null = null;
  #batchTimer: NodeJS.Timeout | null = null;

  constructor(options: MetricStreamOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run(this.#stopping.signal);
  }

  /** Does not wait for acknowledgements: attempts do that before they end. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#batchTimer !== null) clearTimeout(this.#batchTimer);
    this.#notify();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Begins an attempt; sequence numbers count from 1. */
  open(lease: TaskLease): AttemptMetrics {
    const journal = new MetricJournal(this.#options.journalDirectory, lease, (error) =>
      this.#options.log.warn({ err: error, task_id: lease.taskId }, 'metric journal can not be written'),
    );
    const outbox = new MetricOutbox(lease, journal);
    this.#outboxes.set(keyOf(lease), outbox);
    return {
      report: (epoch) => {
        outbox.add(epoch);
        this.#batchTimer ??= setTimeout(() => this.#sealAll(), BATCH_MS);
      },
      acknowledged: () => {
        const acknowledged = outbox.acknowledged();
        this.#notify();
        return acknowledged;
      },
      close: () => {
        outbox.close('DROPPED');
        this.#outboxes.delete(keyOf(lease));
        journal.remove();
      },
    };
  }

  #sealAll(): void {
    this.#batchTimer = null;
    for (const outbox of this.#outboxes.values()) outbox.seal();
    this.#notify();
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.#carry(signal, () => (failures = 0));
        // A coordinator that drains ends the stream in order; the next one may need a moment to be there.
        if (this.#isWaiting) {
          await sleep(retryDelayMs(failures), undefined, { signal }).catch(() => undefined);
          failures += 1;
        }
      } catch (error) {
        if (isAborted(signal)) return;
        if (classifyFailure(error) === 'REGISTER') await this.#options.register().catch(() => undefined);
        const reason = error instanceof Error ? error.message : String(error);
        const delayMs = retryDelayMs(failures);
        this.#options.log.warn({ reason, delay_ms: delayMs }, 'metric stream broke; opening it again');
        failures += 1;
        await sleep(delayMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** One stream, from its first batch to its end. */
  async #carry(signal: AbortSignal, onAnswer: () => void): Promise<void> {
    for (const outbox of this.#outboxes.values()) outbox.rewind();
    // No connection is held while there is nothing to say.
    const first = await this.#next(signal);
    if (first === null) return;
    const stream = new AbortController();
    const stop = (): void => stream.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    const timeoutMs = ANSWER_TIMEOUT_SHARE * this.#options.timing().leaseMs;
    const watchdog = new Watchdog(
      timeoutMs,
      () => this.#isWaiting,
      () => stream.abort(new NoAnswerError(`No answer to metric batches for ${timeoutMs / 1_000} s.`)),
    );
    try {
      const answers = this.#options.coordinator.reportMetrics(this.#batches(first, stream.signal), stream.signal);
      for await (const answer of answers) {
        watchdog.reset();
        onAnswer();
        this.#receive(answer);
      }
    } finally {
      watchdog.stop();
      signal.removeEventListener('abort', stop);
      stream.abort();
      this.#notify();
    }
  }

  get #isWaiting(): boolean {
    return [...this.#outboxes.values()].some((outbox) => outbox.hasUnacknowledged);
  }

  async *#batches(first: MetricBatch, signal: AbortSignal): AsyncGenerator<MetricBatch> {
    for (let batch: MetricBatch | null = first; batch !== null; batch = await this.#next(signal)) yield batch;
  }

  /** Waits for a batch to send; null when the stream ends. */
  async #next(signal: AbortSignal): Promise<MetricBatch | null> {
    for (;;) {
      if (signal.aborted) return null;
      for (const outbox of this.#outboxes.values()) {
        const batch = outbox.takeNext();
        if (batch !== null) return batch;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (isAborted(signal)) resolve();
      });
    }
  }

  #receive(answer: MetricAnswer): void {
    const outbox = this.#outboxes.get(keyOf(answer));
    if (outbox === undefined) return;
    outbox.receive(answer);
    if (answer.refusal === null) failpoint('metrics.acknowledged');
    if (answer.refusal !== null) {
      this.#options.log.warn({ ...answer }, 'metric batch refused');
      this.#notify();
    }
    if (answer.stoppedRunIds.length > 0) this.#options.onStoppedRuns(outbox.lease, answer.stoppedRunIds);
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

/** One attempt's way to the stream. */
export interface AttemptMetrics {
  readonly report: (epoch: MetricBatch['epochs'][number]) => void;
  /** Resolves when all epochs reported so far are durable. @throws OutboxClosedError */
  readonly acknowledged: () => Promise<void>;
  /** Ends it; what is not acknowledged is dropped. */
  readonly close: () => void;
}

/** Calls `onSilence` when nothing was heard for a time although something is awaited. */
class Watchdog {
  readonly #timer: NodeJS.Timeout;
  #heardAt = performance.now();

  constructor(limitMs: number, isWaiting: () => boolean, onSilence: () => void) {
    this.#timer = setInterval(() => {
      if (!isWaiting()) this.reset();
      else if (performance.now() - this.#heardAt > limitMs) onSilence();
    }, limitMs / 10);
  }

  reset(): void {
    this.#heardAt = performance.now();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function keyOf(lease: TaskLease): string {
  return `${lease.taskId}/${lease.leaseEpoch}`;
}

/** A call, because the compiler takes an aborted flag for constant across `await`. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
