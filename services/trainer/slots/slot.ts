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
import type { EngineInfo } from './worker-protocol.ts';
import { WorkerProcess, WorkerStartError } from './worker-process.ts';
import type { WorkerProcessOptions } from './worker-process.ts';

/** Long poll: an idle slot asks three times a minute, and a task that becomes ready is given at once. */
const LEASE_WAIT_MS = 20_000;
const QUICK_ANSWER_MS = 1_000;
/** A worker that never starts means a broken installation: say so instead of waiting for ever. */
const FIRST_START_TRIES = 3;
const MAX_HELD_KEYS = 256;
const MAX_RESTART_DELAY_MS = 60_000;

export interface SlotOptions {
  readonly slotIndex: number;
  readonly worker: WorkerProcessOptions;
  readonly coordinator: Coordinator;
  readonly metricStream: () => MetricStream;
  readonly timing: () => LeaseTiming;
  readonly register: () => Promise<void>;
  /** Why this machine can't begin a task; null: it can. */
  readonly beforeTask: () => Promise<TaskError | null>;
  /** An attempt's error as it is, or the machine's fault behind it. */
  readonly explain: (error: TaskError, task: LeasedTask) => Promise<TaskError>;
  /** Keys of feature sets that this machine has read or made; shared by its slots. */
  readonly heldFeatureKeys: Set<string>;
  /** Something changed that the coordinator should hear at once. */
  readonly onChange: () => void;
  readonly log: Logger;
}

/** One schedulable device: keeps a worker process ready, leases a task, sees it through, and leases the next. */
export class Slot {
  readonly slotIndex: number;
  readonly #options: SlotOptions;
  readonly #log: Logger;
  #worker: WorkerProcess | null = null;
  #attempt: Attempt | null = null;
  /** Leased, while its worker starts. */
  #waiting: LeasedTask | null = null;
  #startFailures = 0;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.slotIndex = options.slotIndex;
    this.#log = options.log.child({ slot: options.slotIndex });
  }

  get progress(): TaskProgress | null {
    if (this.#attempt !== null) return this.#attempt.progress;
    if (this.#waiting === null) return null;
    const { taskId, leaseEpoch } = this.#waiting;
    return { taskId, leaseEpoch, stepCount: 0, stepLimit: 0, detail: 'the worker starts' };
  }

  /**
   * Starts the first worker, to learn about the device.
   *
   * @throws WorkerStartError after three tries.
   */
  async prepare(signal: AbortSignal): Promise<EngineInfo> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#startWorker();
      } catch (error) {
        if (attempt >= FIRST_START_TRIES || signal.aborted || !(error instanceof WorkerStartError)) throw error;
        this.#log.error({ err: error }, 'worker could not start; trying again');
        await sleep(restartDelayMs(this.#startFailures), undefined, { signal });
      }
    }
  }

  /** Leases and works until the signal aborts, then lets the running attempt save and hand back; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const drain = (): void => this.#attempt?.pause('DRAINING');
    signal.addEventListener('abort', drain, { once: true });
    while (!isAborted(signal)) {
      try {
        await this.#runNext(signal);
      } catch (error) {
        if (isAborted(signal)) break;
        this.#log.error({ err: error }, 'slot failed; it goes on');
        await sleep(1_000, undefined, { signal }).catch(() => undefined);
      }
    }
    await this.#attempt?.ended;
  }

  obey(directive: TaskDirective): void {
    this.#attemptFor(directive)?.obey(directive);
  }

  stopRuns(lease: TaskLease, runIds: readonly string[]): void {
    this.#attemptFor(lease)?.stopRuns(runIds);
  }

  pauseForSilence(silentMs: number): void {
    this.#attempt?.pauseForSilence(silentMs);
  }

  /** The drain's time is over. */
  killAndRelease(): void {
    this.#attempt?.killAndRelease();
  }

  /** Gives up whatever is left and ends the worker process. */
  async close(): Promise<void> {
    this.#attempt?.abandon('the trainer ends');
    await this.#worker?.kill();
  }

  #attemptFor(lease: TaskLease): Attempt | null {
    const task = this.#attempt?.task;
    return task?.taskId === lease.taskId && task.leaseEpoch === lease.leaseEpoch ? this.#attempt : null;
  }

  async #runNext(signal: AbortSignal): Promise<void> {
    await this.#livingWorker(signal);
    const task = await this.#lease(signal);
    if (task === null) return;
    failpoint('lease.received');
    const worker = await this.#workerFor(task, signal);
    if (worker === null) {
      await this.#handBack(task);
      return;
    }
    const { coordinator, metricStream, timing, register, explain, heldFeatureKeys, onChange } = this.#options;
    const fault = await this.#options.beforeTask();
    if (fault !== null) {
      this.#log.error({ task_id: task.taskId, reason: fault.message }, 'leased task not begun');
      await this.#endWithout(task, fault, signal);
      return;
    }
    const metrics = metricStream().open(task);
    const attempt = new Attempt({ task, worker, coordinator, metrics, timing, register, explain, log: this.#log });
    this.#attempt = attempt;
    attempt.start();
    onChange();
    if (isAborted(signal)) attempt.pause('DRAINING');
    await attempt.ended;
    this.#attempt = null;
    remember(heldFeatureKeys, task);
    onChange();
  }

  /** One request identity until a task has come: an answer that got lost on the way is given again. */
  async #lease(signal: AbortSignal): Promise<LeasedTask | null> {
    const { coordinator, slotIndex, heldFeatureKeys, register } = this.#options;
    const requestId = randomUUID();
    for (let failures = 0; !isAborted(signal);) {
      if (this.#worker?.isUsable !== true) return null;
      const askedAt = performance.now();
      try {
        const wanted = { requestId, slotIndex, heldFeatureKeys: [...heldFeatureKeys], waitMs: LEASE_WAIT_MS };
        const task = await coordinator.leaseTask(wanted, signal);
        failures = 0;
        if (task !== null) return task;
        // A coordinator that ends answers long polls at once.
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
        // The task this request got has been ended since; it is never given again, so another request is needed.
        if (failure === 'LOST') return null;
        if (failure === 'REGISTER') await register();
        const delayMs = retryDelayMs(failures);
        if (failures % 10 === 0) {
          this.#log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'no lease; asking again');
        }
        failures += 1;
        await sleep(delayMs, undefined, { signal }).catch(() => undefined);
      }
    }
    return null;
  }

  async #refuse(error: UnreadableTaskError, signal: AbortSignal): Promise<void> {
    this.#log.error({ err: error }, 'leased task refused');
    // While a cluster is upgraded, a coordinator may plan what only its newer trainers can read.
    const taskError = {
      errorClass: 'INFRASTRUCTURE',
      code: 'TASK_UNREADABLE',
      message: error.message,
      datasetProblems: [],
    } as const;
    await this.#endWithout(error.lease, taskError, signal);
  }

  /** Ends an attempt that no worker has begun. */
  async #endWithout(lease: TaskLease, error: TaskError, signal: AbortSignal): Promise<void> {
    const { coordinator, register } = this.#options;
    await untilAnswered({ signal, register }, () => coordinator.completeTask(lease, { kind: 'error', error }, signal));
  }

  /** Its worker may have died while the slot waited for work; null when the trainer drains before there is another. */
  async #workerFor(task: LeasedTask, signal: AbortSignal): Promise<WorkerProcess | null> {
    this.#waiting = task;
    try {
      return await this.#livingWorker(signal);
    } catch (error) {
      if (isAborted(signal)) return null;
      throw error;
    } finally {
      this.#waiting = null;
    }
  }

  /** The task came in the moment the trainer began to drain. */
  async #handBack(task: LeasedTask): Promise<void> {
    await this.#options.coordinator
      .releaseTask(task, 'DRAINING', AbortSignal.timeout(5_000))
      .catch((error: unknown) => this.#log.warn({ err: error }, 'task not handed back; its lease will expire'));
  }

  async #livingWorker(signal: AbortSignal): Promise<WorkerProcess> {
    for (;;) {
      signal.throwIfAborted();
      const worker = this.#worker;
      if (worker?.isUsable === true) return worker;
      // A killed one still holds its memory, and the device's, until it has ended.
      await worker?.exited;
      try {
        await this.#startWorker();
      } catch (error) {
        const delayMs = restartDelayMs(this.#startFailures);
        this.#log.error({ err: error, delay_ms: delayMs }, 'worker could not start; trying again');
        await sleep(delayMs, undefined, { signal });
      }
    }
  }

  async #startWorker(): Promise<EngineInfo> {
    const worker = new WorkerProcess(this.#options.worker);
    this.#worker = worker;
    try {
      const engine = await worker.ready();
      this.#startFailures = 0;
      this.#log.info({ worker_pid: worker.pid, ...engine }, 'worker is ready');
      return engine;
    } catch (error) {
      this.#startFailures += 1;
      throw error;
    }
  }
}

/** The newest keys, so that asking for work stays a small message. */
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

function restartDelayMs(failures: number): number {
  return Math.min(MAX_RESTART_DELAY_MS, 500 * 2 ** Math.min(failures, 10));
}

/** A call, because the compiler takes an aborted flag for constant across `await`. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
