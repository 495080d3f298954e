import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../telemetry/logger.ts';

export interface LoopOptions {
  readonly name: string;
  /** Time from the end of one pass to the start of the next, milliseconds. */
  readonly intervalMs: number;
  readonly log: Logger;
  /** Does one pass. An error is logged, and the next pass follows as usual. */
  readonly pass: (signal: AbortSignal) => Promise<void>;
  /** Returns whether an error of a pass is expected and not to be logged. */
  readonly isExpected?: (error: unknown) => boolean;
}

/**
 * A background loop. `start` and `stop` may be called twice or early; `stop` resolves when the running pass has ended.
 * `passes` lets tests wait for work instead of sleeping.
 */
export class Loop implements AsyncDisposable {
  readonly #options: LoopOptions;
  #controller: AbortController | null = null;
  #running: Promise<void> = Promise.resolve();
  #wake: (() => void) | null = null;
  #passCount = 0;
  #waiters: { readonly target: number; readonly resolve: () => void }[] = [];

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#controller) return;
    this.#controller = new AbortController();
    this.#running = this.#run(this.#controller.signal);
  }

  async stop(): Promise<void> {
    this.#controller?.abort();
    this.#wake?.();
    await this.#running;
    this.#controller = null;
  }

  /** Starts the next pass at once. */
  trigger(): void {
    this.#wake?.();
  }

  /** Resolves when `count` more passes have ended. */
  async passes(count = 1): Promise<void> {
    const target = this.#passCount + count;
    await new Promise<void>((resolve) => this.#waiters.push({ target, resolve }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { name, intervalMs, log, pass, isExpected } = this.#options;
    while (!ended(signal)) {
      try {
        await pass(signal);
      } catch (error) {
        if (!ended(signal) && isExpected?.(error) !== true) {
          log.error({ err: error, loop: name }, 'loop pass failed; the next pass follows as usual');
        }
      }
      this.#passCount += 1;
      for (const waiter of this.#waiters.filter(({ target }) => target <= this.#passCount)) waiter.resolve();
      this.#waiters = this.#waiters.filter(({ target }) => target > this.#passCount);
      if (!ended(signal)) await this.#pause(intervalMs, signal);
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wake = (): void => woken.abort();
    await sleep(ms, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(() => undefined);
    this.#wake = null;
  }
}

/** Reads `aborted` by a call, since the compiler assumes that a property read as false stays false. */
function ended(signal: AbortSignal): boolean {
  return signal.aborted;
}
