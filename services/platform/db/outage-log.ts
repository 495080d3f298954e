import type { Logger } from '../telemetry/logger.ts';
import { isUnavailable } from './database-error.ts';

/**
 * Says once that the database is away and once that it is back, though a dozen connections notice. That a database is
 * restarted is expected, so it is a warning; everybody waits and goes on.
 */
export class OutageLog {
  readonly #log: Logger;
  readonly #now: () => number;
  #sinceMs: number | null = null;

  /** @param now milliseconds on a clock that only goes forward; for tests. */
  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** @returns true where the error means that the database is away, and nothing more need be said of it. */
  note(error: unknown): boolean {
    if (!isUnavailable(error)) return false;
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#sinceMs !== null) {
      this.#log.debug({ reason }, 'the database is still away');
      return true;
    }
    this.#sinceMs = this.#now();
    this.#log.warn({ reason }, 'the database is away; what needs it waits');
    return true;
  }

  /** Somebody has got an answer. */
  over(): void {
    if (this.#sinceMs === null) return;
    const seconds = (this.#now() - this.#sinceMs) / 1_000;
    this.#sinceMs = null;
    this.#log.info({ seconds: Number(seconds.toFixed(1)) }, 'the database is back');
  }
}
