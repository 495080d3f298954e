import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseTiming } from '../../core/lease.ts';
import type { LeasedTask, TaskError } from '../../core/task.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { UnreadableTaskError } from '../lease/coordinator-port.ts';
import type { Coordinator, TaskDirective, TaskLease, TaskProgress } from '../lease/coordinator-port.ts';
import type { MetricStream } from '../lease/metric-stream.ts';
import { classifyFailure, retryDelayMs, untilAnswered } from '../lease/patience.ts';
import { Attempt } from './attempt.ts';
import type { RestartingWorker } from './restarting-worker.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Length of a long poll: an idle slot polls three times a minute, and a task that becomes ready is leased at once. */
const LEASE_WAIT_MS = 20_000;
const QUICK_ANSWER_MS = 1_000;
const MAX_HELD_KEYS = 256;

export interface SlotOptions {
  readonly slotIndex: number;
  readonly worker: RestartingWorker;
  readonly coordinator: Coordinator;
  readonly metricStream: MetricStream;
  readonly timing: () => LeaseTiming;
  readonly register: () => Promise<void>;
  /** Returns why this machine can't begin a task; null if it can. */
  readonly beforeTask: () => Promise<TaskError | null>;
  /** Returns an attempt's error unchanged, or the machine fault behind it. */
  readonly explain: (error: TaskError, task: LeasedTask) => Promise<TaskError>;
  /** Keys of feature sets that this machine has read or computed; shared by its slots. */
  readonly heldFeatureKeys: Set<string>;
  readonly log: Logger;
}

/**
 * The task of a slot.
 *
 * - `none`: the slot has no task, or checks whether the machine can begin it.
 * - `waiting`: a task is leased, and its worker starts.
 * - `attempt`: a worker executes the task. When the attempt has ended, the slot has no task.
 */
type SlotTask =
  | { readonly state: 'none' }
  | { readonly state: 'waiting'; readonly task: LeasedTask }
  | { readonly state: 'attempt'; readonly attempt: Attempt };

const NO_TASK: SlotTask = { state: 'none' };

/** A device that works on one task at a time: leases a task, executes it with its worker, and leases the next. */
export class Slot {
  readonly slotIndex: number;
  readonly #options: SlotOptions;
  readonly #log: Logger;
  #task: SlotTask = NO_TASK;

  /** @param options `log` names the slot. */
  constructor(options: SlotOptions) {
    this.#options = options;
    this.slotIndex = options.slotIndex;
    this.#log = options.log;
  }

  get progress(): TaskProgress | null {
    switch (this.#task.state) {
      case 'none':
        return null;
      case 'waiting': {
        const { taskId, leaseEpoch } = this.#task.task;
        return { taskId, leaseEpoch, stepCount: 0, stepLimit: 0, detail: 'starting the worker' };
      }
      case 'attempt':
        return this.#task.attempt.progress;
    }
  }

  /**
   * Leases and executes tasks until the signal aborts, then lets the current attempt save and hand back; never rejects.
   *
   * @param onChange called when an attempt begins or ends, which the coordinator should learn at once.
   */
  async run(signal: AbortSignal, onChange: () => void): Promise<void> {
    const drain = (): void => this.#attempt?.pause('DRAINING');
    signal.addEventListener('abort', drain, { once: true });
    while (!isAborted(signal)) {
      try {
        await this.#runNext(signal, onChange);
      } catch (error) {
        if (isAborted(signal)) break;
        this.#log.error({ err: error }, 'slot failed; continuing');
        await sleep(1_000, undefined, { signal }).catch(() => undefined);
      }
    }
    await this.#attempt?.ended;
  }

  /** Passes a directive to the attempt that holds its lease; ignores it if that attempt has ended. */
  obey(directive: TaskDirective): void {
    const attempt = this.#attempt;
    const { taskId, leaseEpoch } = directive;
    if (attempt?.task.taskId === taskId && attempt.task.leaseEpoch === leaseEpoch) attempt.obey(directive);
  }

  pauseForSilence(silentMs: number): void {
    this.#attempt?.pauseForSilence(silentMs);
  }

  /** Kills the worker and hands the task back; used when a drain takes too long. */
  killAndRelease(): void {
    this.#attempt?.killAndRelease();
  }

  /** Abandons the current attempt, if any. */
  close(): void {
    this.#attempt?.abandon('the trainer ends');
  }

  get #attempt(): Attempt | null {
    return this.#task.state === 'attempt' ? this.#task.attempt : null;
  }

  async #runNext(signal: AbortSignal, onChange: () => void): Promise<void> {
    const { heldFeatureKeys } = this.#options;
    await this.#options.worker.living(signal);
    const task = await this.#lease(signal);
    if (task === null) return;
    failpoint('lease.received');
    const worker = await this.#workerFor(task, signal);
    if (worker === null) {
      await this.#handBack(task);
      return;
    }
    const fault = await this.#options.beforeTask();
    if (fault !== null) {
      this.#log.error({ task_id: task.taskId, reason: fault.message }, 'leased task not begun');
      await this.#failUnbegun(task, fault, signal);
      return;
    }
    const attempt = new Attempt({ ...this.#options, task, worker });
    this.#task = { state: 'attempt', attempt };
    attempt.start();
    onChange();
    if (isAborted(signal)) attempt.pause('DRAINING');
    await attempt.ended;
    this.#task = NO_TASK;
    remember(heldFeatureKeys, task);
    onChange();
  }

  /** Polls with one request ID until a task arrives: when an answer was lost, the coordinator repeats it. */
  async #lease(signal: AbortSignal): Promise<LeasedTask | null> {
    const { coordinator, slotIndex, heldFeatureKeys, register, worker } = this.#options;
    const requestId = randomUUID();
    for (let failures = 0; !isAborted(signal);) {
      if (!worker.isUsable) return null;
      const askedAt = performance.now();
      try {
        const wanted = { requestId, slotIndex, heldFeatureKeys: [...heldFeatureKeys], waitMs: LEASE_WAIT_MS };
        const task = await coordinator.leaseTask(wanted, signal);
        failures = 0;
        if (task !== null) return task;
        // A coordinator that shuts down answers long polls at once.
        if (performance.now() - askedAt < QUICK_ANSWER_MS) {
          await sleep(retryDelayMs(1), undefined, { signal }).catch(() => undefined);
        }
      } catch (error) {
        if (isAborted(signal)) return null;
        if (error instanceof UnreadableTaskError) {
          await this.#refuse(error, signal);
          return null;
        }
        const failure = classifyFailure(error);
        // The lease of this request ID has ended since. It is never granted again, so another request ID is needed.
        if (failure === 'LOST') return null;
        if (failure === 'REGISTER') await register();
        const delayMs = retryDelayMs(failures);
        if (failures % 10 === 0) {
          this.#log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'no lease; retrying');
        }
        failures += 1;
        await sleep(delayMs, undefined, { signal }).catch(() => undefined);
      }
    }
    return null;
  }

  async #refuse(error: UnreadableTaskError, signal: AbortSignal): Promise<void> {
    this.#log.error({ err: error }, 'leased task refused');
    // While a cluster is upgraded, a coordinator may plan tasks that only its newer trainers can read.
    const taskError = {
      errorClass: 'INFRASTRUCTURE',
      code: 'TASK_UNREADABLE',
      message: error.message,
      datasetProblems: [],
    } as const;
    await this.#failUnbegun(error.lease, taskError, signal);
  }

  /** Completes, with an error, a lease that no worker has begun. */
  async #failUnbegun(lease: TaskLease, error: TaskError, signal: AbortSignal): Promise<void> {
    const { coordinator, register } = this.#options;
    await untilAnswered({ signal, register }, () => coordinator.completeTask(lease, { kind: 'error', error }, signal));
  }

  /** Returns a living worker: it may have died during the poll. Returns null when the trainer drains before there is one. */
  async #workerFor(task: LeasedTask, signal: AbortSignal): Promise<WorkerProcess | null> {
    this.#task = { state: 'waiting', task };
    try {
      return await this.#options.worker.living(signal);
    } catch (error) {
      if (isAborted(signal)) return null;
      throw error;
    } finally {
      this.#task = NO_TASK;
    }
  }

  /** Hands back a task that arrived while the trainer began to drain. */
  async #handBack(task: LeasedTask): Promise<void> {
    await this.#options.coordinator
      .releaseTask(task, 'DRAINING', AbortSignal.timeout(5_000))
      .catch((error: unknown) => this.#log.warn({ err: error }, 'task not handed back; its lease will expire'));
  }
}

/** Adds a task's feature sets as the most recent; keeps the 256 most recent, so that lease requests stay small. */
function remember(keys: Set<string>, task: LeasedTask): void {
  for (const { key } of task.featureSets) {
    keys.delete(key);
    keys.add(key);
  }
  for (const key of keys) {
    if (keys.size <= MAX_HELD_KEYS) return;
    keys.delete(key);
  }
}

/** A call, because the compiler takes an aborted flag for constant across `await`. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
