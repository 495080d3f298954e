import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 10_000;
/** Length of a run after which the next restart uses the shortest backoff. */
const HEALTHY_MS = 60_000;
const LOG_LIMIT_BYTES = 20_000_000;

export interface SupervisedProcessOptions {
  /** Name in messages, for example `trainer-0`. */
  readonly name: string;
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  /** File for standard output and error. The child writes to it directly, and so continues to log if this process dies. */
  readonly logFile: string;
  /** Reports deaths and restarts to the user. */
  readonly say: (text: string) => void;
  /** Called after each start and each death. */
  readonly onPid?: (pid: number | null) => void;
  readonly firstBackoffMs?: number;
}

/**
 * A child process that is restarted when it dies. It has its own process group, which Ctrl-C in the terminal does not reach. Its
 * standard input is a pipe that closes when this process ends.
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

  /** Number of starts. */
  get startCount(): number {
    return this.#startCount;
  }

  /** Exit code of the last child that exited; null if none has, or a signal ended it. */
  get lastExitCode(): number | null {
    return this.#lastExitCode;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  start(): void {
    if (this.#startCount === 0) this.#ended = this.#keepAlive();
  }

  /** Asks the child to end and waits. Kills its whole group after `graceMs` milliseconds. */
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

  /** Kills the child and its process group at once. */
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
      // The process has ended in the meantime.
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
      say(`${name} ended (${how}) and is restarted in ${backoff / 1_000} s. Its log: ${logFile}`);
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
    // There is no log yet.
  }
  return openSync(file, 'a');
}
