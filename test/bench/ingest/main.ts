import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { createStore } from '../../../services/coordinator/store/store.ts';
import type { Store } from '../../../services/coordinator/store/store.ts';
import { applyMigrations } from '../../../services/platform/db/apply-migrations.ts';
import { startEmbeddedPostgres } from '../../../services/platform/db/embedded-postgres.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { measureIngest, measurePrisma, measureStreams, useServer } from './sides.ts';
import type { Measurement } from './sides.ts';
import { pointsOf, pointsOfBatch } from './work.ts';
import type { Load } from './work.ts';

const HELP = `Durable metric points per second: one coordinator against Prisma's createMany, side by side in one run.

  npm run bench:ingest -- [--seconds 4] [--trainers 8] [--runs 16] [--epochs 8]

A server of its own with fsync on; every point is counted in the table afterwards. The peer inserts the same rows and does nothing
else; the coordinator checks leases and sequence numbers, keeps the summaries of runs and writes the events as well.
The exit code is 1 when a row is missing.
`;

/** About what each side gets done; for the number of batches. */
const EXPECTED_RATE = { prisma: 15_000, coordinator: 60_000 };

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '4' },
      trainers: { type: 'string', default: '8' },
      runs: { type: 'string', default: '16' },
      epochs: { type: 'string', default: '8' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const shape = {
    trainers: Number(values.trainers),
    runsPerTask: Number(values.runs),
    epochsPerBatch: Number(values.epochs),
  };
  const loadFor = (rate: number): Load => {
    const one = { ...shape, batchesPerTask: 1 };
    return { ...one, batchesPerTask: Math.max(1, Math.round((rate * Number(values.seconds)) / pointsOf(one))) };
  };
  const folder = mkdtempSync(join(tmpdir(), 'graft-bench-'));
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
      const own = [await measureIngest(store, 'in', fast), await measureStreams(store, server.url, 'out', fast)];
      const written = [...peers, ...own].reduce((sum, { points }) => sum + points, pointsOf(slow));
      const stored = await countRows(store);
      process.stdout.write(render(shape, peers, own));
      process.stdout.write(`\n${stored} of ${written} points are in the table.\n`);
      return stored === written ? 0 : 1;
    } finally {
      await store.prisma.$disconnect();
      await pool.end();
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function countRows(store: Store): Promise<number> {
  const { rows } = await store.pool.query<{ count: number }>('SELECT count(*)::int AS count FROM epoch_metrics');
  return rows[0]?.count ?? 0;
}

function render(
  shape: Omit<Load, 'batchesPerTask'>,
  peers: readonly Measurement[],
  own: readonly Measurement[],
): string {
  const rate = ({ points, seconds }: Measurement): number => points / seconds;
  const best = Math.max(...peers.map(rate));
  const rows = [...peers, ...own].map((measurement) => [
    measurement.title,
    measurement.points.toString(),
    measurement.seconds.toFixed(2),
    Math.round(rate(measurement)).toString(),
    (rate(measurement) / best).toFixed(1),
    ((measurement.cpuSeconds / measurement.points) * 1e6).toFixed(2),
    ((measurement.serverCpuSeconds / measurement.points) * 1e6).toFixed(2),
    measurement.lagMs.toFixed(1),
  ]);
  const table = [
    ['', 'points', 's', 'points/s', 'to best peer', 'own µs/point', 'server µs/point', 'p99 lag ms'],
    ...rows,
  ];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = table.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  const { trainers, runsPerTask, epochsPerBatch } = shape;
  return `${trainers} trainers, each a fused group of ${runsPerTask} runs, ${epochsPerBatch} epochs a batch.\n\n${lines.join('\n')}\n`;
}

process.exitCode = await main();
