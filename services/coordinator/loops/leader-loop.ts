import type { OutageLog } from '../../platform/db/outage-log.ts';
import { Loop } from '../../platform/lifecycle/loop.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Leadership } from '../store/leadership.ts';

/** A periodic task that only the leader runs. */
export interface LeaderTask {
  readonly name: string;
  /** Milliseconds between two passes. */
  readonly intervalMs: number;
  /** Called once when this coordinator becomes the leader, before its first pass. */
  begin?(): Promise<void>;
  /** Runs the task once. @param signal aborts when the loops stop, and when this coordinator is no longer the leader. */
  pass(signal: AbortSignal): Promise<void>;
}

/** Runs leader tasks. Each has its own interval; all share one lease. */
export class LeaderLoops implements AsyncDisposable {
  readonly #leadership: Leadership;
  readonly #tasks: readonly LeaderTask[];
  readonly #loops: readonly Loop[];
  readonly #log: Logger;
  #term: Promise<boolean> | null = null;

  constructor(leadership: Leadership, tasks: readonly LeaderTask[], log: Logger, outage: OutageLog) {
    this.#leadership = leadership;
    this.#tasks = tasks;
    this.#log = log;
    this.#loops = tasks.map(
      (task) =>
        new Loop({
          name: task.name,
          intervalMs: task.intervalMs,
          log,
          pass: async (signal) => {
            if (await this.#isLeader()) await this.#pass(task, signal);
            outage.recordSuccess();
          },
          isExpected: (error) => outage.recordError(error),
        }),
    );
  }

  /** Returns whether this coordinator is the leader. */
  get isLeader(): boolean {
    return this.#leadership.isHeld;
  }

  start(): void {
    for (const loop of this.#loops) loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    await this.#leadership[Symbol.asyncDispose]();
  }

  /** Resolves when each loop has run `count` more passes, as the leader or not. Used by tests. */
  async passes(count = 1): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.passes(count)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Runs a pass. Does without AbortSignal.any, which keeps dependants of a long-lived signal alive on Node 20. */
  async #pass(task: LeaderTask, stopped: AbortSignal): Promise<void> {
    const controller = new AbortController();
    const signals = [stopped, this.#leadership.signal];
    const abort = (): void => controller.abort();
    for (const signal of signals) signal.addEventListener('abort', abort, { once: true });
    if (signals.some(({ aborted }) => aborted)) abort();
    try {
      if (!controller.signal.aborted) await task.pass(controller.signal);
    } catch (error) {
      // The error of an aborted pass is irrelevant: another coordinator runs the pass.
      if (!controller.signal.aborted) throw error;
    } finally {
      for (const signal of signals) signal.removeEventListener('abort', abort);
    }
  }

  /** Concurrent loops share one check of the lease. */
  async #isLeader(): Promise<boolean> {
    this.#term ??= this.#check().finally(() => {
      this.#term = null;
    });
    return this.#term;
  }

  async #check(): Promise<boolean> {
    const state = await this.#leadership.check();
    if (state === 'gained') {
      for (const task of this.#tasks) await task.begin?.();
      this.#log.debug({ loops: this.#tasks.map(({ name }) => name) }, 'loops started');
    }
    return state !== 'none';
  }
}
