import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { EngineInfo, SlotCommand, SlotEvent } from './worker-protocol.ts';
import { readMemoryLimit, readOutOfMemoryKills, readPeakMemory } from './worker-exit.ts';
import type { WorkerExit } from './worker-exit.ts';

const LAST_WORDS_BYTES = 4_096;
/** Our logger's levels below "warn". */
const ROUTINE_LOG_LINE = /^\{"level":[123]0,/;
const LAST_WORDS_MS = 1_000;
const MEMORY_SAMPLE_MS = 500;
/** TensorFlow with CUDA needs some seconds; a cold disk much longer. */
const READY_TIMEOUT_MS = 180_000;

export interface WorkerProcessOptions {
  /** Script that speaks `worker-protocol.ts`, with the arguments Node needs to run it. */
  readonly script: string;
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

/** The worker ended, or was not ready in time, before it could work. */
export class WorkerStartError extends Error {
  override readonly name = 'WorkerStartError';
  readonly exit: WorkerExit | null;

  constructor(exit: WorkerExit | null) {
    const how =
      exit === null
        ? `it was not ready within ${READY_TIMEOUT_MS / 1_000} s`
        : `it ended with ${exit.signal ?? `exit code ${exit.code ?? 'unknown'}`}`;
    const words = exit?.lastWords.trim() ?? '';
    super(`The worker process could not start: ${how}.${words === '' ? '' : `\n${words}`}`);
    this.exit = exit;
  }
}

const living = new Set<ChildProcess>();

/** Ends all worker processes of this supervisor at once; the last resort when it exits itself. */
function killAllWorkers(): void {
  for (const child of living) child.kill('SIGKILL');
}
process.on('exit', killAllWorkers);

/**
 * One worker process, which does the TensorFlow work of a slot and is kept between tasks. It has a process group of its
 * own, so that a Ctrl-C reaches only the supervisor, which lets it save first; when the supervisor dies, its IPC channel
 * closes and it ends itself.
 */
export class WorkerProcess {
  readonly pid: number;
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<WorkerExit>;
  readonly #child: ChildProcess;
  readonly #ready: Promise<EngineInfo>;
  #onEvent: (event: SlotEvent) => void = () => undefined;
  #onDeath: (exit: WorkerExit) => void = () => undefined;
  #exit: WorkerExit | null = null;
  #isIntended = false;
  #peakMemoryBytes = 0;
  #lastWords = '';

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
        if (this.#exit !== null) return;
        clearInterval(sampler);
        living.delete(this.#child);
        this.#exit = {
          code,
          signal,
          isIntended: this.#isIntended,
          peakMemoryBytes: this.#peakMemoryBytes,
          memoryLimitBytes: readMemoryLimit(),
          outOfMemoryKills: readOutOfMemoryKills() - killsBefore,
          lastWords: this.#lastWords,
        };
        resolve(this.#exit);
        this.#onDeath(this.#exit);
      };
      // `close` comes after the pipes are read, so that the last words are complete; a process of the worker's own that
      // outlives it would keep them open for ever.
      this.#child.once('close', end);
      this.#child.once('exit', (code, signal) => setTimeout(() => end(code, signal), LAST_WORDS_MS).unref());
      this.#child.once('error', (error) => {
        this.#lastWords += `${error.message}\n`;
        if (this.#child.pid === undefined) end(null, null);
      });
    });
    this.#ready = this.#awaitReady();
    this.#ready.catch(() => undefined);
  }

  /** null while it lives. */
  get exit(): WorkerExit | null {
    return this.#exit;
  }

  /** It lives and nobody has killed it. */
  get isUsable(): boolean {
    return this.#exit === null && !this.#isIntended;
  }

  get peakMemoryBytes(): number {
    return this.#peakMemoryBytes;
  }

  /** @throws WorkerStartError */
  async ready(): Promise<EngineInfo> {
    return await this.#ready;
  }

  /** Who gets its events and its death from now on; `kill` takes both away. */
  listen(onEvent: (event: SlotEvent) => void, onDeath: (exit: WorkerExit) => void): void {
    this.#onEvent = onEvent;
    this.#onDeath = onDeath;
    const exit = this.#exit;
    if (exit !== null) queueMicrotask(() => onDeath(exit));
  }

  /** Nobody listens any more. */
  unlisten(): void {
    this.#onEvent = (): void => undefined;
    this.#onDeath = (): void => undefined;
  }

  /** A command to a process that has just died is dropped; its end is told by `exited`. */
  send(command: SlotCommand): void {
    if (this.#child.connected) this.#child.send(command, () => undefined);
  }

  /** SIGKILL: it writes nothing more from the moment this returns. Resolves when it has ended. */
  async kill(): Promise<WorkerExit> {
    this.#isIntended = true;
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

  /** Standard output of a trainer is for results, so both streams of a worker go to standard error. */
  #listen(stream: NodeJS.ReadableStream | null): void {
    stream?.on('data', (chunk: Buffer) => {
      this.#remember(chunk.toString('utf8'));
      process.stderr.write(chunk);
    });
  }

  /** What the worker logged in good order says nothing about its end. */
  #remember(text: string): void {
    const lines = text.split(/(?<=\n)/).filter((line) => !ROUTINE_LOG_LINE.test(line));
    this.#lastWords = (this.#lastWords + lines.join('')).slice(-LAST_WORDS_BYTES);
  }

  #sampleMemory(): void {
    this.#peakMemoryBytes = Math.max(this.#peakMemoryBytes, readPeakMemory(this.pid));
  }
}
