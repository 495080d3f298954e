import type { Pool } from 'pg';
import { listen } from '../../platform/db/listen.ts';
import type { Listener } from '../../platform/db/listen.ts';
import type { OutageLog } from '../../platform/db/outage-log.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';

const TASKS_CHANNEL = 'graft_tasks';
const EVENTS_CHANNEL = 'graft_events';
/** Key of subscriptions to tasks; no sweep has it. */
const TASKS_KEY = '';

/** Wakes long polls and watches by LISTEN. Notifications are hints that can be lost, so every wait has a timeout. */
export class Signals implements AsyncDisposable {
  readonly #subscriptions = new Map<string, Set<Subscription>>();
  readonly #listeners: readonly Listener[];
  #eventGeneration = 0;
  /** Resolves when LISTEN is active on both channels. */
  readonly ready: Promise<void>;

  constructor(pool: Pool, log: Logger, outage: OutageLog) {
    this.#listeners = [
      listen(pool, TASKS_CHANNEL, () => this.#notify(TASKS_KEY), {
        log,
        outage,
        onConnect: () => this.#notify(TASKS_KEY),
      }),
      listen(pool, EVENTS_CHANNEL, (sweepId) => this.#notify(sweepId), {
        log,
        outage,
        onConnect: () => this.#notifyAll(),
      }),
    ];
    this.ready = Promise.all(this.#listeners.map((listener) => listener.ready)).then(() => undefined);
  }

  /** A number that grows with each notification of events. */
  get eventGeneration(): number {
    return this.#eventGeneration;
  }

  subscribeTasks(): Subscription {
    return this.#subscribe(TASKS_KEY);
  }

  subscribeEvents(sweepId: string): Subscription {
    return this.#subscribe(sweepId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  #subscribe(key: string): Subscription {
    const set = this.#subscriptions.get(key) ?? new Set<Subscription>();
    this.#subscriptions.set(key, set);
    const subscription = new Subscription(() => {
      set.delete(subscription);
      if (set.size === 0) this.#subscriptions.delete(key);
    });
    set.add(subscription);
    return subscription;
  }

  #notify(key: string): void {
    if (key !== TASKS_KEY) this.#eventGeneration += 1;
    for (const subscription of this.#subscriptions.get(key) ?? []) subscription.notify();
  }

  #notifyAll(): void {
    for (const key of this.#subscriptions.keys()) this.#notify(key);
  }
}

/** A subscription that remembers a notification between a read of the database and the wait. */
export class Subscription implements Disposable {
  readonly #onDispose: () => void;
  #isDirty = false;
  #wake: (() => void) | null = null;

  constructor(onDispose: () => void) {
    this.#onDispose = onDispose;
  }

  notify(): void {
    this.#isDirty = true;
    this.#wake?.();
  }

  /** Resolves at the next notification, including one since the last wait; after `timeoutMs`; or at an abort. */
  async wait(timeoutMs: number, signals: readonly AbortSignal[]): Promise<void> {
    if (!this.#isDirty && !signals.some(({ aborted }) => aborted)) await this.#sleep(timeoutMs, signals);
    this.#isDirty = false;
  }

  [Symbol.dispose](): void {
    this.#onDispose();
  }

  #sleep(timeoutMs: number, signals: readonly AbortSignal[]): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        for (const signal of signals) signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.#wake = wake;
      for (const signal of signals) signal.addEventListener('abort', wake, { once: true });
    });
  }
}
