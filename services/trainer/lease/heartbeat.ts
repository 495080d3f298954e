import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseTiming } from '../../core/lease.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Coordinator, TaskDirective, TaskProgress } from './coordinator-port.ts';
import { classifyFailure, retryDelayMs } from './patience.ts';

/** Maximum delay of a retry. Leases expire while no coordinator answers, so heartbeats are retried sooner than other calls. */
const MAX_RETRY_MS = 2_000;
/**
 * Deadline of a heartbeat as a share of its interval. After a coordinator that hangs, there must be time for another one before
 * the trainer counts as silent.
 */
const DEADLINE_SHARE = 0.5;

export interface HeartbeatOptions {
  readonly coordinator: Coordinator;
  readonly timing: () => LeaseTiming;
  readonly log: Logger;
  /** Returns the tasks that the trainer holds. */
  readonly tasks: () => readonly TaskProgress[];
  readonly isDraining: () => boolean;
  readonly onDirective: (directive: TaskDirective) => void;
  /** Called once per silence, when no answer came for the silence limit: leases may expire at any moment. */
  readonly onSilence: (silentMs: number) => void;
  readonly register: () => Promise<void>;
  /** Milliseconds on a monotonic clock; for tests. */
  readonly now?: () => number;
}

/** The heartbeat loop of a trainer: reports the progress of its tasks and passes on the coordinator's directives. */
export class Heartbeat {
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
    // Checked outside the loop, which may be waiting for an answer that never comes.
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

  /** Sends the next heartbeat at once: a task was leased or has ended, or the trainer drains. */
  trigger(): void {
    this.#isTriggered = true;
    this.#wake?.();
  }

  /** Calls `onSilence` when the silence exceeds its limit; a timer calls this periodically. */
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
      // Only every tenth failure is logged: an hour without a coordinator must not fill the log.
      if (failures % 10 === 0) log.warn({ reason, failures: failures + 1 }, 'heartbeat not answered; retrying');
      return false;
    }
    if (failures > 0) log.info({ failures }, 'heartbeat answered again');
    // The lease was extended when the coordinator received the heartbeat, which was not before it was sent.
    this.#answeredAt = sentAt;
    this.#isSilent = false;
    return true;
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    // The loop may have been stopped while it awaited the last answer.
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
