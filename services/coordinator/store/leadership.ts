import pg from 'pg';
import type { OutageLog } from '../../platform/db/outage-log.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';

/** Key of the session lock; the two halves of "graft" and "lead" in ASCII. */
const LOCK_KEYS = [0x67726674, 0x6c656164] as const;
const ANSWER_TIMEOUT_MS = 10_000;
/** The server ends the session of a leader that says nothing for so long: one that hangs keeps its connection. */
const SILENCE_LIMIT_MS = 5_000;
const PING_MS = 1_000;

/**
 * Which of the coordinators runs the loops: the one whose session holds an advisory lock. PostgreSQL gives it back when
 * the connection ends, so a coordinator that dies is followed at once. One that hangs, or whose machine vanished without a
 * word, is found by PostgreSQL: its session must say something every few seconds. It may go on working for a moment beside
 * its follower; every statement of the loops is right then as well, because it looks at the rows it has locked.
 */
export class Leadership implements AsyncDisposable {
  readonly #source: pg.Pool;
  readonly #log: Logger;
  readonly #outage: OutageLog;
  #client: pg.Client | null = null;
  #ping: NodeJS.Timeout | null = null;

  /** @param source a pool whose settings are taken; the lock has a connection of its own. */
  constructor(source: pg.Pool, log: Logger, outage: OutageLog) {
    this.#source = source;
    this.#log = log;
    this.#outage = outage;
  }

  /** Whether the last look found the lock to be ours. */
  get isHeld(): boolean {
    return this.#client !== null;
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
    client.on('error', (error) => {
      if (!this.#outage.note(error)) this.#log.warn({ err: error }, 'connection of the loops lost');
    });
    try {
      await client.connect();
      await client.query(`SELECT set_config('idle_session_timeout', $1, false)`, [`${SILENCE_LIMIT_MS}ms`]);
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
    // Its failure is found by the next check.
    this.#ping = setInterval(() => void this.#isAlive(client), PING_MS).unref();
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
    if (this.#ping !== null) clearInterval(this.#ping);
    await client?.end().catch(() => undefined);
  }
}
