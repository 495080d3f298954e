import { PrismaPg } from '@prisma/adapter-pg';
import type { Pool } from 'pg';
import { PrismaClient } from '../../../prisma/client/client.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';

/** What every statement needs. Prisma and raw `pg` share one pool. */
export interface Store {
  readonly pool: Pool;
  readonly prisma: PrismaClient;
  readonly log: Logger;
  /** How long a lease lives without a heartbeat, milliseconds. */
  readonly leaseMs: number;
  /** Uniform in [0, 1), for the jitter of back-offs. */
  readonly random: () => number;
}

export interface StoreOptions {
  readonly pool: Pool;
  readonly log: Logger;
  readonly leaseMs: number;
  readonly random?: () => number;
}

/** The pool stays the caller's: closing the store does not end it. */
export function createStore(options: StoreOptions): Store {
  return {
    pool: options.pool,
    // Prisma's own limit is 5 s; a sweep of 10,000 runs is 350,000 rows.
    prisma: new PrismaClient({
      adapter: new PrismaPg(options.pool),
      transactionOptions: { maxWait: 10_000, timeout: 60_000 },
    }),
    log: options.log,
    leaseMs: options.leaseMs,
    random: options.random ?? Math.random,
  };
}
