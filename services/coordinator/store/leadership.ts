import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { openClient } from '../../platform/db/database-client.ts';
import type { DatabaseClient } from '../../platform/db/database-client.ts';
import type { OutageLog } from '../../platform/db/outage-log.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';

const NAME = 'loops';
/** A leader that dies or hangs is followed after this time, on the database's clock. */
const LEASE_MS = 4_000;
/** The leader stops believing in its lease this much earlier, for clocks that don't run alike. */
const MARGIN_MS = 500;
const RENEW_MS = 1_000;
/** A connection that says nothing for so long is replaced, while the lease may still be saved. */
const ANSWER_TIMEOUT_MS = 3_000;

/** No row where another holder's lease lives. `now()` is the statement's begin, so a wait for the row's lock is not added. */
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

/** A time in which this coordinator runs the loops. */
interface Term {
  readonly controller: AbortController;
  /** On the clock of `performance.now()`. */
  readonly validUntilMs: number;
  /** Ends the term where no renewal has been answered in time. */
  readonly end: NodeJS.Timeout;
}

/**
 * Decides which coordinator runs the loops: the holder of a lease in the table `leader_leases`, on the database's clock. It does
 * not depend on a session, which a pooler may share or a network may keep open.
 *
 * The states are follower and leader. A follower becomes the leader when `check` finds the lease free or expired. The leader renews
 * it each second, and is a follower again when another holder has taken it, or when its last answered renewal was sent
 * `LEASE_MS - MARGIN_MS` ago on its own monotonic clock, which is before anyone else can take it. `signal` then aborts the passes
 * under way. A process that was suspended may finish the statement that it had begun; every statement of the loops is right then as
 * well, because it checks the rows that it has locked.
 */
export class Leadership implements AsyncDisposable {
  readonly #source: pg.Pool;
  readonly #log: Logger;
  readonly #outage: OutageLog;
  readonly #holder = randomUUID();
  #client: DatabaseClient | null = null;
  #renewal: NodeJS.Timeout | null = null;
  #term: Term | null = null;
  /** Of the term that `check` has reported last. */
  #reported: AbortSignal | null = null;
  #number = 0n;
  #taking: Promise<void> | null = null;

  /** @param source a pool whose settings are taken; the lease has a connection of its own, so that it waits for no call. */
  constructor(source: pg.Pool, log: Logger, outage: OutageLog) {
    this.#source = source;
    this.#log = log;
    this.#outage = outage;
  }

  /** Whether this coordinator is the leader. */
  get isHeld(): boolean {
    return this.#term !== null && performance.now() < this.#term.validUntilMs;
  }

  /** Aborts when the present term ends; aborted where there is none. */
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

  /** Those who ask at the same moment share one statement. */
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
    // Another one had it in between, though nobody told.
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
    // Its failure is found by the next check, or by the end of the term.
    this.#renewal ??= setInterval(() => void this.#take().catch(() => undefined), RENEW_MS).unref();
  }

  /** @param reason null: in order. */
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
