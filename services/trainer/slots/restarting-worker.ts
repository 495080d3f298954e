import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { WorkerProcess, WorkerStartError } from './worker-process.ts';
import type { WorkerProcessOptions } from './worker-process.ts';
import type { EngineInfo } from '../engine/engine-info.ts';

/** A worker that never starts means a broken installation, which is reported rather than retried for ever. */
const FIRST_START_TRIES = 3;
const MAX_RESTART_DELAY_MS = 60_000;

/** The worker process of a slot, replaced by a new one when it has ended. */
export class RestartingWorker {
  readonly #options: WorkerProcessOptions;
  readonly #log: Logger;
  #process: WorkerProcess | null = null;
  #startFailures = 0;

  /** @param log names the slot. */
  constructor(options: WorkerProcessOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
  }

  get isUsable(): boolean {
    return this.#process?.isUsable === true;
  }

  /**
   * Starts the first process, which reports the device.
   *
   * @throws {WorkerStartError} after three tries.
   */
  async start(signal: AbortSignal): Promise<EngineInfo> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#startProcess();
      } catch (error) {
        if (attempt >= FIRST_START_TRIES || signal.aborted || !(error instanceof WorkerStartError)) throw error;
        await this.#waitToRestart(error, signal);
      }
    }
  }

  /** Returns the living process; starts one, as often as necessary, if there is none. Rejects when the signal aborts. */
  async living(signal: AbortSignal): Promise<WorkerProcess> {
    for (;;) {
      signal.throwIfAborted();
      const current = this.#process;
      if (current?.isUsable === true) return current;
      // A killed process holds its memory, and the device's, until it has ended.
      await current?.exited;
      try {
        await this.#startProcess();
      } catch (error) {
        await this.#waitToRestart(error, signal);
      }
    }
  }

  /** Kills the process. */
  async close(): Promise<void> {
    await this.#process?.kill();
  }

  async #startProcess(): Promise<EngineInfo> {
    const worker = new WorkerProcess(this.#options);
    this.#process = worker;
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

  async #waitToRestart(error: unknown, signal: AbortSignal): Promise<void> {
    const delayMs = Math.min(MAX_RESTART_DELAY_MS, 500 * 2 ** Math.min(this.#startFailures, 10));
    this.#log.error({ err: error, delay_ms: delayMs }, 'worker could not start; retrying');
    await sleep(delayMs, undefined, { signal });
  }
}
