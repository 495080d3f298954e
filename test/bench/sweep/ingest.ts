import { compareIngest, pointsPerSecond } from '../ingest/compare.ts';
import type { BenchContext } from './context.ts';
import type { Row } from './row.ts';

const SHAPE = { trainers: 8, runsPerTask: 16, epochsPerBatch: 8 };
const SECONDS = 4;
const TARGET_RATIO = 20;
const TARGET_RATE = 100_000;

export async function ingest({ say }: BenchContext): Promise<Row> {
  say('durable metric points a second');
  const { peers, inProcess, streams, storedCount, writtenCount } = await compareIngest(SHAPE, SECONDS);
  const peer = Math.max(...peers.map(pointsPerSecond));
  const own = pointsPerSecond(inProcess);
  return {
    work: 'durable metric points of one coordinator',
    peer: 'Prisma createMany',
    peerFigure: `${thousands(peer)}/s`,
    graftFigure: `${thousands(own)}/s`,
    ratio: own / peer,
    target: `≥ ${TARGET_RATIO}×, ≥ ${thousands(TARGET_RATE)}/s`,
    isMet: storedCount === writtenCount && own >= TARGET_RATIO * peer && own >= TARGET_RATE,
    accuracies: '',
    notes: [
      `${storedCount} of ${writtenCount} points were in the table; p99 delay of the event loop ${inProcess.lagMs.toFixed(1)} ms. ` +
        `Through gRPC streams of ${SHAPE.trainers} client processes on the same cores: ${thousands(pointsPerSecond(streams))}/s.`,
    ],
  };
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en');
}
