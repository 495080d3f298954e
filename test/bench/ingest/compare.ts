import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createStore } from '../../../services/coordinator/store/store.ts';
import { applyMigrations } from '../../../services/platform/db/apply-migrations.ts';
import { startEmbeddedPostgres } from '../../../services/platform/db/embedded-postgres.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { measureIngest, measurePrisma, measureStreams, useServer } from './sides.ts';
import type { Measurement } from './sides.ts';
import { pointsOf, pointsOfBatch } from './work.ts';
import type { Load } from './work.ts';
import { temporaryFolder } from '../../support/run-script.ts';

export type IngestShape = Omit<Load, 'batchesPerTask'>;

export interface IngestComparison {
  /** Prisma's `createMany` with few, some and many rows per call. */
  readonly peers: readonly Measurement[];
  /** Batches passed within the process. */
  readonly inProcess: Measurement;
  /** Batches of client processes over gRPC. */
  readonly streams: Measurement;
  readonly writtenCount: number;
  /** Number of rows found in the table afterwards. */
  readonly storedCount: number;
}

/**
 * Approximate rates of both sides, to choose the number of batches. Writing for a second or two is not representative:
 * the server flushes in bursts.
 */
const EXPECTED_RATE = { prisma: 6_000, coordinator: 140_000 };

/**
 * Measures both sides one after the other on a dedicated server, with fsync on.
 *
 * @param seconds approximate duration per side.
 */
export async function compareIngest(shape: IngestShape, seconds: number): Promise<IngestComparison> {
  const loadFor = (rate: number): Load => {
    const one = { ...shape, batchesPerTask: 1 };
    return { ...one, batchesPerTask: Math.max(1, Math.round((rate * seconds) / pointsOf(one))) };
  };
  const folder = temporaryFolder('graft-bench-');
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log: () => undefined });
  try {
    await applyMigrations(server.url);
    useServer(server.pid);
    const log = createLogger('bench', 'warn');
    const pool = createPool(server.url, { max: 10, applicationName: 'graft-bench', log });
    const store = createStore({ pool, log, leaseMs: 30_000 });
    try {
      const slow = loadFor(EXPECTED_RATE.prisma);
      const fast = loadFor(EXPECTED_RATE.coordinator);
      const peers = [
        await measurePrisma(store, 'p1', slow, shape.runsPerTask * 7),
        await measurePrisma(store, 'p2', slow, pointsOfBatch(slow)),
        await measurePrisma(store, 'p3', slow, 4_000),
      ];
      await measureIngest(store, 'warm', slow);
      const inProcess = await measureIngest(store, 'in', fast);
      const streams = await measureStreams(store, server.url, 'out', fast);
      const writtenCount = [...peers, inProcess, streams].reduce((sum, { points }) => sum + points, pointsOf(slow));
      const { rows } = await pool.query<{ count: number }>('SELECT count(*)::int AS count FROM epoch_metrics');
      return { peers, inProcess, streams, writtenCount, storedCount: rows[0]?.count ?? 0 };
    } finally {
      await store.prisma.$disconnect();
      await pool.end();
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

export const pointsPerSecond = ({ points, seconds }: Measurement): number => points / seconds;
