import type { Logger } from '../telemetry/logger.ts';
import { isUnavailable } from './database-error.ts';

/**
 * Logs the start and the end of a database outage once, although a dozen connections detect it. Restarts of a database
 * are expected, so the log level is warning: all callers wait and resume.
 */
export class OutageLog {
  readonly #log: Logger;
  readonly #now: () => number;
  #sinceMs: number | null = null;

  /** @param now monotonic clock in milliseconds; for tests. */
  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Records an error. Returns true if it means that the database is unavailable and needs no further logging. */
  recordError(error: unknown): boolean {
    if (!isUnavailable(error)) return false;
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#sinceMs !== null) {
      this.#log.debug({ reason }, 'the database is still unavailable');
      return true;
    }
    this.#sinceMs = this.#now();
    this.#log.warn({ reason }, 'the database is unavailable; operations that need it wait');
    return true;
  }

  /** Records that the database has replied. */
  recordSuccess(): void {
    if (this.#sinceMs === null) return;
    const seconds = (this.#now() - this.#sinceMs) / 1_000;
    this.#sinceMs = null;
    this.#log.info({ seconds: Number(seconds.toFixed(1)) }, 'the database is available again');
  }
}
