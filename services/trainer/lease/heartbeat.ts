import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseTiming } from '../../core/lease.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Coordinator, TaskDirective, TaskProgress } from './coordinator-port.ts';
import { classifyFailure, retryDelayMs } from './patience.ts';

/** Leases run out while nobody answers, so a heartbeat is tried more often than other calls. */
const MAX_RETRY_MS = 2_000;
/** So that after a coordinator that hangs there is time for another one before the trainer counts as silent. */
const DEADLINE_SHARE = 0.5;

export interface HeartbeatOptions {
  readonly coordinator: Coordinator;
  readonly timing: () => LeaseTiming;
  readonly log: Logger;
  /** Tasks held now. */
  readonly tasks: () => readonly TaskProgress[];
  readonly isDraining: () => boolean;
  readonly onDirective: (directive: TaskDirective) => void;
  /** No answer for the silence limit: the leases may be gone any moment. Called once per silence. */
  readonly onSilence: (silentMs: number) => void;
  readonly register: () => Promise<void>;
  /** Milliseconds on a clock that only goes forward; for tests. */
  readonly now?: () => number;
}

/** One loop per trainer: says that it lives and how far its tasks are, and passes on what the coordinator wants. */
export class Heartbeat implements AsyncDisposable {
  readonly #options: HeartbeatOptions;
  readonly #now: () => number;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #wake: (() => void) | null = null;
  #isTriggered = false;
  #answeredAt: number;
  #isSilent = false;
  #silenceTimer: NodeJS.Timeout | null = null;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#now = options.now ?? ((): number => performance.now());
    this.#answeredAt = this.#now();
  }

  start(): void {
    this.#answeredAt = this.#now();
    // Checked beside the loop, which may be waiting for an answer that never comes.
    this.#silenceTimer = setInterval(
      () => this.checkSilence(),
      Math.max(20, this.#options.timing().silenceLimitMs / 50),
    );
    this.#running = this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#silenceTimer !== null) clearInterval(this.#silenceTimer);
    this.#wake?.();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Sends the next heartbeat at once: a task was taken or given back, or the trainer drains. */
  trigger(): void {
    this.#isTriggered = true;
    this.#wake?.();
  }

  /** Tells of a silence that has lasted too long; a timer does this by itself. */
  checkSilence(): void {
    const silentMs = this.#now() - this.#answeredAt;
    if (this.#isSilent || silentMs <= this.#options.timing().silenceLimitMs) return;
    this.#isSilent = true;
    this.#options.onSilence(silentMs);
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      this.#isTriggered = false;
      const isAnswered = await this.#beat(failures);
      failures = isAnswered ? 0 : failures + 1;
      const { heartbeatMs } = this.#options.timing();
      await this.#pause(
        isAnswered ? heartbeatMs : Math.min(heartbeatMs, MAX_RETRY_MS, retryDelayMs(failures - 1)),
        signal,
      );
    }
  }

  async #beat(failures: number): Promise<boolean> {
    const { coordinator, timing, log, tasks, isDraining, onDirective, register } = this.#options;
    const sentAt = this.#now();
    try {
      const deadlineMs = DEADLINE_SHARE * timing().heartbeatMs;
      for (const directive of await coordinator.heartbeat(tasks(), isDraining(), deadlineMs)) onDirective(directive);
    } catch (error) {
      if (this.#stopping.signal.aborted) return false;
      if (classifyFailure(error) === 'REGISTER') await register().catch(() => undefined);
      const reason = error instanceof Error ? error.message : String(error);
      // The first one and then every tenth: an hour without a coordinator must not fill the log.
      if (failures % 10 === 0) log.warn({ reason, failures: failures + 1 }, 'heartbeat not answered; trying again');
      return false;
    }
    if (failures > 0) log.info({ failures }, 'heartbeat answered again');
    // The lease was extended when the coordinator got it, which was not before it was sent.
    this.#answeredAt = sentAt;
    this.#isSilent = false;
    return true;
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    // It may have ended while the last answer was awaited.
    if (this.#isTriggered || signal.aborted) return;
    const woken = new AbortController();
    this.#wake = (): void => woken.abort();
    const stop = (): void => woken.abort();
    signal.addEventListener('abort', stop, { once: true });
    await sleep(ms, undefined, { signal: woken.signal }).catch(() => undefined);
    signal.removeEventListener('abort', stop);
    this.#wake = null;
  }
}
