import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { EmbeddedPostgres } from '../../platform/db/embedded-postgres.ts';
import { identifyProcess, isAlive } from '../../platform/lifecycle/process-identity.ts';
import type { ProcessIdentity } from '../../platform/lifecycle/process-identity.ts';

const CHECK_MS = 1_000;
const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 10_000;

export interface PostgresKeeperOptions {
  readonly start: (log: (line: string) => void) => Promise<EmbeddedPostgres>;
  readonly logFile: string;
  readonly say: (text: string) => void;
}

/** Restarts the embedded PostgreSQL when it dies. The server keeps its port, and so its address. */
export class PostgresKeeper {
  readonly #options: PostgresKeeperOptions;
  #server: EmbeddedPostgres | null = null;
  #process: ProcessIdentity | null = null;
  #timer: NodeJS.Timeout | null = null;
  #starting: Promise<void> = Promise.resolve();
  #backoffMs = FIRST_BACKOFF_MS;
  #isStopping = false;

  constructor(options: PostgresKeeperOptions) {
    this.#options = options;
  }

  /** Starts the server and returns its connection string. */
  async start(): Promise<string> {
    mkdirSync(dirname(this.#options.logFile), { recursive: true });
    const { url } = await this.#startServer();
    this.#watch(CHECK_MS);
    return url;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#starting;
    await this.#server?.stop();
  }

  /** Sends PostgreSQL's immediate shutdown. The server recovers at its next start. */
  kill(): void {
    this.#isStopping = true;
    if (this.#server?.isOwn === true && this.#isRunning()) process.kill(this.#server.pid, 'SIGQUIT');
  }

  readonly #log = (line: string): void => appendFileSync(this.#options.logFile, `${line}\n`);

  async #startServer(): Promise<EmbeddedPostgres> {
    const server = await this.#options.start(this.#log);
    this.#server = server;
    this.#process = identifyProcess(server.pid);
    return server;
  }

  #isRunning(): boolean {
    return this.#process !== null && isAlive(this.#process);
  }

  #watch(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#starting = this.#check();
    }, delayMs);
  }

  async #check(): Promise<void> {
    if (this.#isStopping) return;
    if (this.#isRunning()) {
      this.#backoffMs = FIRST_BACKOFF_MS;
      this.#watch(CHECK_MS);
      return;
    }
    const { say, logFile } = this.#options;
    say(`PostgreSQL has ended and is restarted. Its log: ${logFile}`);
    try {
      await this.#startServer();
      this.#watch(CHECK_MS);
    } catch (error) {
      say(`PostgreSQL did not start: ${error instanceof Error ? error.message : String(error)}`);
      this.#watch(this.#backoffMs);
      this.#backoffMs = Math.min(this.#backoffMs * 2, MAX_BACKOFF_MS);
    }
  }
}
