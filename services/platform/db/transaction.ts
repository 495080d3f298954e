import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import { DatabaseUnavailableError } from '../../core/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { isConflict, isStalePlan, isUnavailable, toDatabaseError } from './database-error.ts';

const MAX_TRIES = 5;
const FIRST_DELAY_MS = 25;
const MAX_DELAY_MS = 2_000;

export interface TransactionOptions<T = unknown> {
  /** Isolation level; default READ COMMITTED. */
  readonly isolation?: 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';
  /** Maximum number of attempts, 1 or more; default 5 (with delays of about 25, 100, 400 and 1600 ms in between). */
  readonly maxTries?: number;
  readonly log?: Logger;
  /**
   * Statements that are pipelined with COMMIT. Called with the result of `work`; must send all of them before it
   * returns, or throw before it sends any.
   */
  readonly last?: (result: T) => Promise<unknown>;
  /** Aborts the delay between attempts. */
  readonly signal?: AbortSignal;
}

/**
 * Runs `work` in a transaction: BEGIN, work, COMMIT; ROLLBACK if it throws.
 *
 * Retried after a serialization failure (40001), a deadlock (40P01), a prepared statement that a migration invalidated,
 * and a connection lost or refused before COMMIT was sent. None of these leaves an effect in the database, so `work`
 * must have no effect outside the transaction. If the connection is lost during COMMIT, the outcome is unknown and
 * there is no retry: the caller finds out with its idempotency key.
 *
 * @throws {DatabaseUnavailableError} when the database can't be reached; otherwise the error of `work`.
 */
export async function withTransaction<T>(
  pool: Pool,
  work: (client: PoolClient) => Promise<T>,
  options: TransactionOptions<T> = {},
): Promise<T> {
  const maxTries = options.maxTries ?? MAX_TRIES;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await runOnce(pool, work, options);
    } catch (error) {
      const again =
        isConflict(error) ||
        isStalePlan(error) ||
        (isUnavailable(error) && !(error instanceof DatabaseUnavailableError));
      if (!again || attempt >= maxTries || options.signal?.aborted === true) throw toDatabaseError(error);
      options.log?.debug({ err: error, attempt }, 'transaction retried');
      await sleep(delayBefore(attempt + 1), undefined, options.signal ? { signal: options.signal } : {}).catch(() => {
        throw toDatabaseError(error);
      });
    }
  }
}

async function runOnce<T>(
  pool: Pool,
  work: (client: PoolClient) => Promise<T>,
  { isolation = 'READ COMMITTED', last }: TransactionOptions<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const result = await begin(client, isolation, work);
    await commit(client, last?.(result));
    return result;
  } catch (error) {
    broken = (await rollBack(client)) ?? (isStalePlan(error) ? (error as Error) : undefined);
    throw error;
  } finally {
    // A connection that could not roll back, or has invalid statements, is closed instead of returned to the pool.
    client.release(broken);
  }
}

/** Sends BEGIN together with the first statement of `work`. When BEGIN fails, its error explains those of the statements after it. */
async function begin<T>(client: PoolClient, isolation: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const [begun, worked] = await Promise.allSettled([client.query(`BEGIN ISOLATION LEVEL ${isolation}`), work(client)]);
  if (begun.status === 'rejected') throw begun.reason;
  if (worked.status === 'rejected') throw worked.reason;
  return worked.value;
}

async function commit(client: PoolClient, last: Promise<unknown> | undefined): Promise<void> {
  const [before, committed] = await Promise.allSettled([last, client.query('COMMIT')]);
  if (committed.status === 'rejected') {
    const error: unknown = committed.reason;
    if (!isUnavailable(error)) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    throw new DatabaseUnavailableError(`${detail} (during COMMIT: it may or may not have happened)`, { cause: error });
  }
  if (committed.value.command === 'COMMIT') return;
  // The server replies to COMMIT with ROLLBACK if an earlier statement had failed.
  if (before.status === 'rejected') throw before.reason;
  throw new Error('The transaction was rolled back: one of its statements had failed.');
}

async function rollBack(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query('ROLLBACK');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function delayBefore(attempt: number): number {
  const delay = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 4 ** (attempt - 2));
  // Jitter, so that two transactions that conflicted once don't conflict again.
  return delay * (0.5 + Math.random());
}
