import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseTiming } from '../../core/lease.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import { NoAnswerError } from '../../platform/rpc/errors.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Coordinator, MetricAnswer, MetricBatch, TaskLease } from './coordinator-port.ts';
import { MetricJournal } from './metric-journal.ts';
import { MetricOutbox } from './metric-outbox.ts';
import { classifyFailure, retryDelayMs } from './patience.ts';

/** Epochs on cached features take milliseconds; epochs within this time share a batch and a transaction. */
const BATCH_MS = 100;
/** A stream counts as dead, whatever TCP reports, when batches stay unanswered for this part of a lease (20 s of 30 s). */
const ANSWER_TIMEOUT_SHARE = 2 / 3;

export interface MetricStreamOptions {
  readonly coordinator: Coordinator;
  readonly journalDirectory: string;
  readonly timing: () => LeaseTiming;
  readonly log: Logger;
  /** Registers the trainer; called when the coordinator does not know it. */
  readonly register: () => Promise<void>;
}

interface OpenOutbox {
  readonly outbox: MetricOutbox;
  readonly onStoppedRuns: (runIds: readonly string[]) => void;
}

/** The stream that carries the metrics of all of a trainer's attempts. It is reopened after every failure until `stop`. */
export class MetricStream {
  readonly #options: MetricStreamOptions;
  readonly #open = new Map<string, OpenOutbox>();
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

  /**
   * Opens the outbox of an attempt, whose sequence numbers count from 1.
   *
   * @param onStoppedRuns called with runs of a fused group that must stop.
   */
  open(lease: TaskLease, onStoppedRuns: OpenOutbox['onStoppedRuns']): AttemptMetrics {
    const journal = new MetricJournal(this.#options.journalDirectory, lease, (error) =>
      this.#options.log.warn({ err: error, task_id: lease.taskId }, 'the metric journal could not be written'),
    );
    const outbox = new MetricOutbox(lease, journal);
    this.#open.set(keyOf(lease), { outbox, onStoppedRuns });
    return {
      report: (epoch) => {
        outbox.add(epoch);
        this.#batchTimer ??= setTimeout(() => this.#sealAll(), BATCH_MS);
      },
      reportRung: (report) => {
        outbox.addRung(report);
        this.#batchTimer ??= setTimeout(() => this.#sealAll(), BATCH_MS);
      },
      acknowledged: () => {
        const acknowledged = outbox.acknowledged();
        this.#notify();
        return acknowledged;
      },
      close: () => {
        outbox.close('DROPPED');
        this.#open.delete(keyOf(lease));
        journal.remove();
      },
    };
  }

  #sealAll(): void {
    this.#batchTimer = null;
    for (const { outbox } of this.#open.values()) outbox.seal();
    this.#notify();
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.#carry(signal, () => (failures = 0));
        // A coordinator that drains ends the stream in order; another one may need a moment to be ready.
        if (this.#isWaiting) {
          await sleep(retryDelayMs(failures), undefined, { signal }).catch(() => undefined);
          failures += 1;
        }
      } catch (error) {
        if (isAborted(signal)) return;
        if (classifyFailure(error) === 'REGISTER') await this.#options.register().catch(() => undefined);
        const reason = error instanceof Error ? error.message : String(error);
        const delayMs = retryDelayMs(failures);
        this.#options.log.warn({ reason, delay_ms: delayMs }, 'metric stream broke; reopening it');
        failures += 1;
        await sleep(delayMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Carries one stream from its first batch to its end. */
  async #carry(signal: AbortSignal, onAnswer: () => void): Promise<void> {
    for (const { outbox } of this.#open.values()) outbox.rewind();
    // No stream is held open while there is nothing to send.
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
    return [...this.#open.values()].some(({ outbox }) => outbox.hasUnacknowledged);
  }

  async *#batches(first: MetricBatch, signal: AbortSignal): AsyncGenerator<MetricBatch> {
    for (let batch: MetricBatch | null = first; batch !== null; batch = await this.#next(signal)) yield batch;
  }

  /** Waits for the next batch to send. Resolves to null when the stream ends. */
  async #next(signal: AbortSignal): Promise<MetricBatch | null> {
    for (;;) {
      if (signal.aborted) return null;
      for (const { outbox } of this.#open.values()) {
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
    const open = this.#open.get(keyOf(answer));
    if (open === undefined) return;
    open.outbox.receive(answer);
    if (answer.refusal === null) failpoint('metrics.acknowledged');
    if (answer.refusal !== null) {
      this.#options.log.warn({ ...answer }, 'metric batch refused');
      this.#notify();
    }
    if (answer.stoppedRunIds.length > 0) open.onStoppedRuns(answer.stoppedRunIds);
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

/** The metrics of one attempt. */
export interface AttemptMetrics {
  readonly report: (epoch: MetricBatch['epochs'][number]) => void;
  /** Reports results by image, after their epoch. */
  readonly reportRung: (report: MetricBatch['rungs'][number]) => void;
  /** Resolves when all epochs reported so far are durable. Rejects with {OutboxClosedError} when they can't be any more. */
  readonly acknowledged: () => Promise<void>;
  /** Closes the outbox; batches that are not acknowledged are dropped. */
  readonly close: () => void;
}

/** Calls `onSilence` when no answer came for `limitMs` although one is awaited. */
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
