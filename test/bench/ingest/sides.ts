import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { readCoordinatorConfig } from '../../../services/coordinator/config.ts';
import { startCoordinator } from '../../../services/coordinator/coordinator.ts';
import type { MetricBatch } from '../../../services/coordinator/store/metrics/metric-batch.ts';
import { MetricIngest } from '../../../services/coordinator/store/metrics/metric-ingest.ts';
import type { Store } from '../../../services/coordinator/store/store.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { temporaryFolder } from '../../support/run-script.ts';
import { batchOf, insertWork, pointsOf, WINDOW } from './work.ts';
import type { Load } from './work.ts';

export interface Measurement {
  readonly title: string;
  readonly points: number;
  readonly seconds: number;
  /** 99th percentile of the event loop delay in the storing process. */
  readonly lagMs: number;
  /** Processor time of that process. */
  readonly cpuSeconds: number;
  /** Processor time of the database server's processes; NaN if it can't be read. */
  readonly serverCpuSeconds: number;
}

const CLIENT = fileURLToPath(new URL('client.ts', import.meta.url));
const LAG_RESOLUTION_MS = 1;

/** Measures Prisma's `createMany` with as many writers as trainers: rows only, without fence, summary and event. */
export async function measurePrisma(store: Store, side: string, load: Load, rowsPerCall: number): Promise<Measurement> {
  await insertWork(store.prisma, side, load);
  const calls = batchesOf(side, load).map((batches) => chunk(batches.flatMap(rowsOf), rowsPerCall));
  return measure(`Prisma createMany, ${rowsPerCall} rows a call`, load, async () => {
    await Promise.all(
      calls.map(async (ofTrainer) => {
        for (const data of ofTrainer) await store.prisma.epochMetric.createMany({ data });
      }),
    );
  });
}

/** Measures the work of ReportMetrics on a batch, without gRPC. */
export async function measureIngest(store: Store, side: string, load: Load): Promise<Measurement> {
  await insertWork(store.prisma, side, load);
  const batches = batchesOf(side, load);
  const ingest = new MetricIngest(store);
  return measure('coordinator, batches handed over in the process', load, async () => {
    await Promise.all(
      batches.map(async (ofTrainer) => {
        const underWay: Promise<unknown>[] = [];
        for (const batch of ofTrainer) {
          if (underWay.length >= WINDOW) await underWay.shift();
          underWay.push(ingest.submit(batch));
        }
        await Promise.all(underWay);
      }),
    );
  });
}

/** Measures a whole coordinator in this process, with a client process for each trainer. */
export async function measureStreams(
  store: Store,
  databaseUrl: string,
  side: string,
  load: Load,
): Promise<Measurement> {
  await insertWork(store.prisma, side, load);
  // The default store may belong to the cluster of the user who runs the bench.
  const artifactsDir = temporaryFolder('graft-bench-artifacts-');
  const config = readCoordinatorConfig({
    DATABASE_URL: databaseUrl,
    GRAFT_ARTIFACTS_DIR: artifactsDir,
    GRAFT_COORDINATOR_LISTEN: '127.0.0.1:0',
    GRAFT_LOG_LEVEL: 'warn',
  });
  await using coordinator = await startCoordinator(config, createLogger('coordinator', config.logLevel));
  const clients = Array.from({ length: load.trainers }, (_, trainer) =>
    fork(CLIENT, [coordinator.address, side, String(trainer), JSON.stringify(load)], {
      execArgv: ['--import', 'tsx'],
    }),
  );
  const ended = Promise.all(clients.map(successOf));
  try {
    await Promise.race([Promise.all(clients.map((client) => once(client, 'message'))), ended]);
    return await measure(`coordinator, gRPC streams of ${load.trainers} client processes`, load, async () => {
      for (const client of clients) client.send('go');
      await ended;
    });
  } finally {
    for (const client of clients) client.kill();
    rmSync(artifactsDir, { recursive: true, force: true });
  }
}

function batchesOf(side: string, load: Load): MetricBatch[][] {
  return Array.from({ length: load.trainers }, (_, trainer) =>
    Array.from({ length: load.batchesPerTask }, (_, index) => batchOf(side, load, trainer, index + 1)),
  );
}

interface Row {
  readonly runId: string;
  readonly stage: string;
  readonly epoch: number;
  readonly name: string;
  readonly leaseEpoch: number;
  readonly taskId: string;
  readonly value: number;
}

function rowsOf({ taskId, leaseEpoch, epochs }: MetricBatch): Row[] {
  return epochs.flatMap(({ runId, stage, epoch, names, values }) =>
    names.map((name, index) => ({ runId, stage, epoch, name, leaseEpoch, taskId, value: values[index] ?? Number.NaN })),
  );
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

async function successOf(client: ChildProcess): Promise<void> {
  const [code, signal] = (await once(client, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`A client ended with ${code ?? signal ?? 'nothing'}.`);
}

/** Set once the server runs. */
let serverPid = Number.NaN;

export function useServer(pid: number): void {
  serverPid = pid;
}

/**
 * Returns the processor time of the postmaster's children, including ended ones, from /proc: in hundredths of a second
 * on every Linux.
 */
function serverCpuSeconds(): number {
  let ticks = 0;
  try {
    for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      const fields = readStat(name);
      if (Number(fields[1]) === serverPid) ticks += Number(fields[11]) + Number(fields[12]);
      if (Number(name) === serverPid) ticks += Number(fields[13]) + Number(fields[14]);
    }
  } catch {
    return Number.NaN;
  }
  return ticks / 100;
}

/** Returns the fields after the process name; none if the process has just ended. */
function readStat(name: string): readonly string[] {
  try {
    return (readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1) ?? '').split(' ');
  } catch {
    return [];
  }
}

async function measure(title: string, load: Load, work: () => Promise<void>): Promise<Measurement> {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  const cpu = process.cpuUsage();
  const serverCpu = serverCpuSeconds();
  const startMs = performance.now();
  await work();
  const seconds = (performance.now() - startMs) / 1000;
  lag.disable();
  const { user, system } = process.cpuUsage(cpu);
  // The histogram records the interval between two samples, which is a millisecond on an idle loop.
  const lagMs = Math.max(0, lag.percentile(99) / 1e6 - LAG_RESOLUTION_MS);
  return {
    title,
    points: pointsOf(load),
    seconds,
    lagMs,
    cpuSeconds: (user + system) / 1e6,
    serverCpuSeconds: serverCpuSeconds() - serverCpu,
  };
}
