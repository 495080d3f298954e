import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 10_000;
/** A child that lived so long starts over with the shortest back-off. */
const HEALTHY_MS = 60_000;
const LOG_LIMIT_BYTES = 20_000_000;

export interface SupervisedProcessOptions {
  /** For messages, for example `trainer-0`. */
  readonly name: string;
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  /** Gets standard output and error. The child writes there itself, so that it can go on logging without us. */
  readonly logFile: string;
  /** What a person should hear: deaths and restarts. */
  readonly say: (text: string) => void;
  /** After each start and each death. */
  readonly onPid?: (pid: number | null) => void;
  readonly firstBackoffMs?: number;
}

/**
 * A child process in a group of its own (Ctrl-C in our terminal does not reach it) that is started again when it dies.
 * Its standard input is a pipe that closes when we end.
 */
export class SupervisedProcess implements AsyncDisposable {
  readonly name: string;
  readonly #options: SupervisedProcessOptions;
  readonly #stopping = new AbortController();
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #startCount = 0;
  #lastExitCode: number | null = null;

  constructor(options: SupervisedProcessOptions) {
    this.#options = options;
    this.name = options.name;
  }

  /** How often the child was started. */
  get startCount(): number {
    return this.#startCount;
  }

  /** Of the last child that ended by itself; null: none has, or a signal ended it. */
  get lastExitCode(): number | null {
    return this.#lastExitCode;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  start(): void {
    if (this.#startCount === 0) this.#ended = this.#keepAlive();
  }

  /** Asks the child to end and waits; after `graceMs` its whole group is killed. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    this.#signal('SIGTERM', false);
    const late = new AbortController();
    await Promise.race([this.#ended, sleep(graceMs, undefined, { signal: late.signal }).catch(() => undefined)]);
    late.abort();
    if (this.#child !== null) {
      this.#options.say(`${this.name} did not end within ${graceMs / 1_000} s and is killed`);
      this.kill();
      await this.#ended;
    }
  }

  /** Kills the child and everything it started, at once. */
  kill(): void {
    this.#stopping.abort();
    this.#signal('SIGKILL', true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(10_000);
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  #signal(signal: NodeJS.Signals, group: boolean): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(group ? -pid : pid, signal);
    } catch {
      // It has ended in this moment.
    }
  }

  async #keepAlive(): Promise<void> {
    const first = this.#options.firstBackoffMs ?? FIRST_BACKOFF_MS;
    let backoff = first;
    while (!this.#isStopping()) {
      const began = performance.now();
      const how = await this.#runOnce();
      if (this.#isStopping()) return;
      if (performance.now() - began > HEALTHY_MS) backoff = first;
      const { name, logFile, say } = this.#options;
      say(`${name} ended (${how}); it is started again in ${backoff / 1_000} s. Its log: ${logFile}`);
      await sleep(backoff, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      backoff = Math.min(backoff * 2, MAX_BACKOFF_MS);
    }
  }

  #runOnce(): Promise<string> {
    const { command, env, logFile, onPid } = this.#options;
    const [program, ...args] = command;
    const log = openLog(logFile);
    this.#startCount += 1;
    const child = spawn(program, args, { env, detached: true, stdio: ['pipe', log, log] });
    closeSync(log);
    this.#child = child;
    child.stdin?.on('error', () => undefined);
    if (child.pid !== undefined) onPid?.(child.pid);
    return new Promise((resolve) => {
      const done = (how: string): void => {
        this.#child = null;
        onPid?.(null);
        resolve(how);
      };
      child.once('error', (error) => done(error.message));
      child.once('exit', (code, signal) => {
        this.#lastExitCode = code;
        done(signal ?? `exit code ${String(code)}`);
      });
    });
  }
}

function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  try {
    if (statSync(file).size > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`);
  } catch {
    // There is none yet.
  }
  return openSync(file, 'a');
}
