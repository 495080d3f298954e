import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { EngineInfo } from '../engine/engine-info.ts';
import type { SlotCommand, SlotEvent } from './worker-protocol.ts';
import { readMemoryLimit, readOutOfMemoryKills, readPeakMemory } from './worker-exit.ts';
import type { WorkerExit } from './worker-exit.ts';

const LAST_OUTPUT_BYTES = 4_096;
/** A line of our logger below level "warn". */
const ROUTINE_LOG_LINE = /^\{"level":[123]0,/;
const LAST_OUTPUT_MS = 1_000;
const MEMORY_SAMPLE_MS = 500;
/** Starting TensorFlow with CUDA takes some seconds, and much longer from a cold disk. */
const READY_TIMEOUT_MS = 180_000;

export interface WorkerProcessOptions {
  /** Script that implements `worker-protocol.ts`. */
  readonly script: string;
  /** Arguments that Node needs to run the script. */
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

/** Thrown when a worker ended, or was not ready in time, before it could work. */
export class WorkerStartError extends Error {
  override readonly name = 'WorkerStartError';
  readonly exit: WorkerExit | null;

  constructor(exit: WorkerExit | null) {
    const how =
      exit === null
        ? `it was not ready within ${READY_TIMEOUT_MS / 1_000} s`
        : `it ended with ${exit.signal ?? `exit code ${exit.code ?? 'unknown'}`}`;
    const output = exit?.lastOutput.trim() ?? '';
    super(`The worker process could not start: ${how}.${output === '' ? '' : `\n${output}`}`);
    this.exit = exit;
  }
}

const living = new Set<ChildProcess>();

/** Kills all worker processes of this supervisor when it exits. */
function killAllWorkers(): void {
  for (const child of living) child.kill('SIGKILL');
}
process.on('exit', killAllWorkers);

/**
 * The life of a worker process.
 *
 * - `alive`: it starts, or can take commands.
 * - `killed`: `kill` was called. It writes nothing more, but holds its memory until it has ended.
 * - `ended`: its exit is known.
 */
type Life =
  { readonly state: 'alive' } | { readonly state: 'killed' } | { readonly state: 'ended'; readonly exit: WorkerExit };

/**
 * A worker process, which does the TensorFlow work of a slot and is kept between tasks. It has its own process group: Ctrl-C
 * reaches only the supervisor, which lets the worker save first. When the supervisor dies, the IPC channel closes and the
 * worker exits.
 */
export class WorkerProcess {
  readonly pid: number;
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<WorkerExit>;
  readonly #child: ChildProcess;
  readonly #ready: Promise<EngineInfo>;
  #onEvent: (event: SlotEvent) => void = () => undefined;
  #onDeath: (exit: WorkerExit) => void = () => undefined;
  #life: Life = { state: 'alive' };
  #peakMemoryBytes = 0;
  #lastOutput = '';

  constructor(options: WorkerProcessOptions) {
    const killsBefore = readOutOfMemoryKills();
    this.#child = fork(options.script, [], {
      execArgv: [...options.execArgv],
      env: { ...options.env },
      serialization: 'advanced',
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    living.add(this.#child);
    this.pid = this.#child.pid ?? 0;
    this.#listen(this.#child.stdout);
    this.#listen(this.#child.stderr);
    const sampler = setInterval(() => this.#sampleMemory(), MEMORY_SAMPLE_MS);
    sampler.unref();
    this.exited = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        if (this.#life.state === 'ended') return;
        clearInterval(sampler);
        living.delete(this.#child);
        const exit: WorkerExit = {
          code,
          signal,
          peakMemoryBytes: this.#peakMemoryBytes,
          memoryLimitBytes: readMemoryLimit(),
          outOfMemoryKills: readOutOfMemoryKills() - killsBefore,
          lastOutput: this.#lastOutput,
        };
        this.#life = { state: 'ended', exit };
        resolve(exit);
        this.#onDeath(exit);
      };
      // `close` comes after the pipes are read, so the last output is complete. But a child of the worker that outlives it
      // would keep the pipes open for ever; hence the timeout after `exit`.
      this.#child.once('close', end);
      this.#child.once('exit', (code, signal) => setTimeout(() => end(code, signal), LAST_OUTPUT_MS).unref());
      this.#child.once('error', (error) => {
        this.#lastOutput += `${error.message}\n`;
        if (this.#child.pid === undefined) end(null, null);
      });
    });
    this.#ready = this.#awaitReady();
    this.#ready.catch(() => undefined);
  }

  get isUsable(): boolean {
    return this.#life.state === 'alive';
  }

  get peakMemoryBytes(): number {
    return this.#peakMemoryBytes;
  }

  /**
   * Resolves when the worker can take a task.
   *
   * @throws {WorkerStartError} when it ends first, or is not ready within 180 s.
   */
  async ready(): Promise<EngineInfo> {
    return await this.#ready;
  }

  /** Sets the receivers of its events and its death; `kill` removes both. A death in the past is delivered too. */
  listen(onEvent: (event: SlotEvent) => void, onDeath: (exit: WorkerExit) => void): void {
    this.#onEvent = onEvent;
    this.#onDeath = onDeath;
    const life = this.#life;
    if (life.state === 'ended') queueMicrotask(() => onDeath(life.exit));
  }

  /** Removes the receivers. */
  unlisten(): void {
    this.#onEvent = (): void => undefined;
    this.#onDeath = (): void => undefined;
  }

  /** Sends a command; drops it if the process has just died, which `exited` reports. */
  send(command: SlotCommand): void {
    if (this.#child.connected) this.#child.send(command, () => undefined);
  }

  /** Sends SIGKILL: from the moment this returns, the process writes nothing more. Resolves when it has ended. */
  async kill(): Promise<WorkerExit> {
    if (this.#life.state === 'alive') this.#life = { state: 'killed' };
    this.unlisten();
    this.#child.kill('SIGKILL');
    return await this.exited;
  }

  async #awaitReady(): Promise<EngineInfo> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<EngineInfo>((resolve, reject) => {
        this.#child.on('message', (event: SlotEvent) => {
          if (event.type === 'ready') resolve(event.engine);
          else this.#onEvent(event);
        });
        void this.exited.then((exit) => reject(new WorkerStartError(exit)));
        timer = setTimeout(() => {
          void this.kill();
          reject(new WorkerStartError(null));
        }, READY_TIMEOUT_MS);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Forwards both output streams of a worker to standard error: standard output of a trainer is for results. */
  #listen(stream: NodeJS.ReadableStream | null): void {
    stream?.on('data', (chunk: Buffer) => {
      this.#remember(chunk.toString('utf8'));
      process.stderr.write(chunk);
    });
  }

  /** Keeps the end of the output, without routine log lines, which do not explain how a worker ended. */
  #remember(output: string): void {
    const lines = output.split(/(?<=\n)/).filter((line) => !ROUTINE_LOG_LINE.test(line));
    this.#lastOutput = (this.#lastOutput + lines.join('')).slice(-LAST_OUTPUT_BYTES);
  }

  #sampleMemory(): void {
    this.#peakMemoryBytes = Math.max(this.#peakMemoryBytes, readPeakMemory(this.pid));
  }
}
