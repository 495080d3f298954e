import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { openClient } from '../../platform/db/database-client.ts';
import type { DatabaseClient } from '../../platform/db/database-client.ts';
import type { OutageLog } from '../../platform/db/outage-log.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';

const NAME = 'loops';
/** A leader that dies or hangs is replaced after this time, on the database's clock. */
const LEASE_MS = 4_000;
/** The leader gives its lease up this much earlier, in case clocks run at different rates. */
const MARGIN_MS = 500;
const RENEW_MS = 1_000;
/** A connection that does not answer in this time is replaced while the lease can still be renewed. */
const ANSWER_TIMEOUT_MS = 3_000;

/** Returns no row while another holder's lease is live. `now()` is the start of the statement, so a wait for the row lock adds nothing. */
const TAKE = `
  INSERT INTO leader_leases AS l (name, holder, term, expire_time)
  VALUES ($1, $2, 1, now() + $3 * interval '1 millisecond')
  ON CONFLICT (name) DO UPDATE
     SET holder = excluded.holder, expire_time = excluded.expire_time,
         term = l.term + CASE WHEN l.holder = excluded.holder THEN 0 ELSE 1 END
   WHERE l.holder = excluded.holder OR l.expire_time < now()
  RETURNING term`;

const RELEASE = `
  UPDATE leader_leases SET expire_time = now() - interval '1 millisecond' WHERE name = $1 AND holder = $2 AND expire_time > now()`;

/** A period in which this coordinator runs the loops. */
interface Term {
  readonly controller: AbortController;
  /** A time of `performance.now()`. */
  readonly validUntilMs: number;
  /** A timer that ends the term when no renewal was answered in time. */
  readonly end: NodeJS.Timeout;
}

/**
 * Decides which coordinator runs the loops: the holder of a lease in the table `leader_leases`, on the database's clock. It does
 * not depend on a session, which a pooler may share or a network may keep open.
 *
 * States:
 *
 * - **Follower**: becomes the leader when `check` finds the lease free or expired.
 * - **Leader**: renews the lease each second. It becomes a follower when another holder has taken the lease, or when its last answered
 *   renewal was sent `LEASE_MS - MARGIN_MS` ago on its own monotonic clock, which is before another coordinator can take it.
 *
 * When the leader becomes a follower, `signal` aborts the passes in progress. A process that was suspended may finish the statement
 * that it had begun. That is safe, because every statement of the loops checks the rows that it has locked.
 */
export class Leadership implements AsyncDisposable {
  readonly #source: pg.Pool;
  readonly #log: Logger;
  readonly #outage: OutageLog;
  readonly #holder = randomUUID();
  #client: DatabaseClient | null = null;
  #renewal: NodeJS.Timeout | null = null;
  #term: Term | null = null;
  /** Signal of the term that `check` reported last. */
  #reported: AbortSignal | null = null;
  #number = 0n;
  #taking: Promise<void> | null = null;

  /** @param source a pool whose settings are copied; the lease has a connection of its own, so that it waits for no call. */
  constructor(source: pg.Pool, log: Logger, outage: OutageLog) {
    this.#source = source;
    this.#log = log;
    this.#outage = outage;
  }

  /** True while this coordinator is the leader. */
  get isHeld(): boolean {
    return this.#term !== null && performance.now() < this.#term.validUntilMs;
  }

  /** A signal that aborts when the current term ends; aborted when there is none. */
  get signal(): AbortSignal {
    return this.#term?.controller.signal ?? AbortSignal.abort();
  }

  /**
   * Takes the lease if it is free, or renews it.
   *
   * @returns `gained` the first time, `held` while it lasts, `none` while another coordinator has it.
   */
  async check(): Promise<'gained' | 'held' | 'none'> {
    await this.#take();
    if (!this.isHeld) return 'none';
    if (this.signal === this.#reported) return 'held';
    this.#reported = this.signal;
    return 'gained';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const wasHeld = this.isHeld;
    this.#endTerm(null);
    await this.#taking?.catch(() => undefined);
    this.#endTerm(null);
    if (wasHeld) await this.#client?.query(RELEASE, [NAME, this.#holder]).catch(() => undefined);
    await this.#close();
  }

  /** Concurrent calls share one statement. */
  #take(): Promise<void> {
    this.#taking ??= this.#takeOnce().finally(() => {
      this.#taking = null;
    });
    return this.#taking;
  }

  async #takeOnce(): Promise<void> {
    const client = await this.#connected();
    const sentAt = performance.now();
    let term: string | undefined;
    try {
      const { rows } = await client.query<{ term: string }>(TAKE, [NAME, this.#holder, LEASE_MS]);
      term = rows[0]?.term;
    } catch (error) {
      await this.#close();
      throw error;
    }
    if (term === undefined) {
      this.#endTerm('another coordinator has taken the lease of the loops');
      return;
    }
    // Another coordinator held the lease in between.
    if (BigInt(term) !== this.#number) this.#endTerm('the lease of the loops was interrupted');
    this.#number = BigInt(term);
    this.#extendTerm(sentAt + LEASE_MS - MARGIN_MS);
  }

  #extendTerm(validUntilMs: number): void {
    const remainingMs = validUntilMs - performance.now();
    if (remainingMs <= 0) return;
    if (this.#term === null) this.#log.info('this coordinator runs the loops');
    else clearTimeout(this.#term.end);
    const end = setTimeout(() => this.#endTerm('the lease of the loops was not renewed in time'), remainingMs).unref();
    this.#term = { controller: this.#term?.controller ?? new AbortController(), validUntilMs, end };
    // The next check, or the end of the term, reports its failure.
    this.#renewal ??= setInterval(() => void this.#take().catch(() => undefined), RENEW_MS).unref();
  }

  /** @param reason null when the coordinator itself ends */
  #endTerm(reason: string | null): void {
    if (this.#term === null) return;
    clearTimeout(this.#term.end);
    if (this.#renewal !== null) clearInterval(this.#renewal);
    this.#renewal = null;
    const { controller } = this.#term;
    this.#term = null;
    if (reason !== null) this.#log.warn({ reason }, 'no longer the coordinator that runs the loops');
    controller.abort(new Error(reason ?? 'The coordinator ends.'));
  }

  async #connected(): Promise<DatabaseClient> {
    if (this.#client !== null) return this.#client;
    const client = await openClient({
      ...this.#source.options,
      query_timeout: ANSWER_TIMEOUT_MS,
      statement_timeout: ANSWER_TIMEOUT_MS,
    });
    client.on('error', (error) => {
      if (!this.#outage.recordError(error)) this.#log.warn({ err: error }, 'connection of the loops lost');
    });
    client.on('end', () => {
      if (this.#client === client) this.#client = null;
    });
    this.#client = client;
    return client;
  }

  async #close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }
}
