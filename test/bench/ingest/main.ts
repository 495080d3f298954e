import process from 'node:process';
import { parseArgs } from 'node:util';
import { compareIngest, pointsPerSecond } from './compare.ts';
import type { IngestShape } from './compare.ts';
import type { Measurement } from './sides.ts';
import { runScript } from '../../support/run-script.ts';

const HELP = `Durable metric points per second: one coordinator against Prisma's createMany, side by side in one run.

  npm run bench:ingest -- [--seconds 4] [--trainers 8] [--runs 16] [--epochs 8]

A server of its own with fsync on; every point is counted in the table afterwards. The peer inserts the same rows and does nothing
else; the coordinator checks leases and sequence numbers, keeps the summaries of runs and writes the events as well.
The exit code is 1 when a row is missing.
`;

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
  const { peers, inProcess, streams, writtenCount, storedCount } = await compareIngest(shape, Number(values.seconds));
  process.stdout.write(render(shape, peers, [inProcess, streams]));
  process.stdout.write(`\n${storedCount} of ${writtenCount} points are in the table.\n`);
  return storedCount === writtenCount ? 0 : 1;
}

function render(shape: IngestShape, peers: readonly Measurement[], own: readonly Measurement[]): string {
  const best = Math.max(...peers.map(pointsPerSecond));
  const rows = [...peers, ...own].map((measurement) => [
    measurement.title,
    measurement.points.toString(),
    measurement.seconds.toFixed(2),
    Math.round(pointsPerSecond(measurement)).toString(),
    (pointsPerSecond(measurement) / best).toFixed(1),
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

await runScript(main);
