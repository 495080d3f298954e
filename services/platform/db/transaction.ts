import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import { DatabaseUnavailableError } from '../../core/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { isConflict, isUnavailable, toDatabaseError } from './database-error.ts';

const MAX_TRIES = 5;
const FIRST_DELAY_MS = 25;
const MAX_DELAY_MS = 2_000;

export interface TransactionOptions {
  /** Default READ COMMITTED. */
  readonly isolation?: 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';
  /** Tries in all, 1 or more; default 5 (waits of about 25, 100, 400, 1600 ms in between). */
  readonly maxTries?: number;
  readonly log?: Logger;
  /** Ends the waiting between tries. */
  readonly signal?: AbortSignal;
}

/**
 * Runs `work` in a transaction: BEGIN, work, COMMIT; ROLLBACK when it throws.
 *
 * Made again after a serialization failure (40001), a deadlock (40P01), and a connection lost or refused before COMMIT was
 * sent, because none of these has left anything behind; so `work` must have no effect outside the transaction. When the
 * connection is lost during COMMIT, nobody knows whether it happened, and it is not made again: the caller finds out with its
 * idempotency key.
 *
 * @throws DatabaseUnavailableError when the database can't be reached, and whatever `work` throws.
 */
export async function withTransaction<T>(
  pool: Pool,
  work: (client: PoolClient) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const maxTries = options.maxTries ?? MAX_TRIES;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await runOnce(pool, work, options.isolation ?? 'READ COMMITTED');
    } catch (error) {
      const again = isConflict(error) || (isUnavailable(error) && !(error instanceof DatabaseUnavailableError));
      if (!again || attempt >= maxTries || options.signal?.aborted === true) throw toDatabaseError(error);
      options.log?.debug({ err: error, attempt }, 'transaction made again');
      await sleep(delayBefore(attempt + 1), undefined, options.signal ? { signal: options.signal } : {}).catch(() => {
        throw toDatabaseError(error);
      });
    }
  }
}

async function runOnce<T>(
  pool: Pool,
  work: (client: PoolClient) => Promise<T>,
  isolation: NonNullable<TransactionOptions['isolation']>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(`BEGIN ISOLATION LEVEL ${isolation}`);
    const result = await work(client);
    await commit(client);
    return result;
  } catch (error) {
    broken = await rollBack(client);
    throw error;
  } finally {
    // A connection that could not roll back is closed instead of going back to the pool.
    client.release(broken);
  }
}

async function commit(client: PoolClient): Promise<void> {
  try {
    const { command } = await client.query('COMMIT');
    // The server answers COMMIT with ROLLBACK when `work` swallowed the error of one of its statements.
    if (command !== 'COMMIT') throw new Error('The transaction was rolled back: one of its statements had failed.');
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    throw new DatabaseUnavailableError(`${detail} (during COMMIT: it may or may not have happened)`, { cause: error });
  }
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
  // Jitter, so that two transactions that met once don't meet again.
  return delay * (0.5 + Math.random());
}
