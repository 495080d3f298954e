import pg from 'pg';
import type { Logger } from '../../platform/telemetry/logger.ts';

/** Key of the session lock; the two halves of "graft" and "lead" in ASCII. */
const LOCK_KEYS = [0x67726674, 0x6c656164] as const;
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Which of the coordinators runs the loops: the one whose session holds an advisory lock. PostgreSQL gives it back when
 * the connection ends, so a coordinator that dies is followed by another one without any clock.
 */
export class Leadership implements AsyncDisposable {
  readonly #source: pg.Pool;
  readonly #log: Logger;
  #client: pg.Client | null = null;

  /** @param source a pool whose settings are taken; the lock has a connection of its own. */
  constructor(source: pg.Pool, log: Logger) {
    this.#source = source;
    this.#log = log;
  }

  /**
   * Takes the lock if it is free.
   *
   * @returns `gained` the first time, `held` while it lasts, `none` while another coordinator has it.
   */
  async check(): Promise<'gained' | 'held' | 'none'> {
    if (this.#client) {
      if (await this.#isAlive(this.#client)) return 'held';
      await this.#close();
      this.#log.warn('no longer the coordinator that runs the loops');
    }
    return (await this.#tryTake()) ? 'gained' : 'none';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #tryTake(): Promise<boolean> {
    const client = new pg.Client({
      ...this.#source.options,
      keepAlive: true,
      query_timeout: ANSWER_TIMEOUT_MS,
      // The lock's session is idle most of the time, but never in a transaction.
      statement_timeout: ANSWER_TIMEOUT_MS,
    });
    client.on('error', (error) => this.#log.warn({ err: error }, 'connection of the loops lost'));
    try {
      await client.connect();
      const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS taken', [
        ...LOCK_KEYS,
      ]);
      if (rows[0]?.taken !== true) {
        await client.end();
        return false;
      }
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    this.#client = client;
    this.#log.info('this coordinator runs the loops');
    return true;
  }

  async #isAlive(client: pg.Client): Promise<boolean> {
    try {
      await client.query('SELECT 1');
      return true;
    } catch {
      return false;
    }
  }

  async #close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }
}
