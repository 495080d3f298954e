import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ParameterDomain } from '../../../services/core/sweep/sweep-spec.ts';
import { renderTable } from '../../../services/cli/terminal/table.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { specOf } from '../../integration/coordinator/harness.ts';
import { CoordinatorProcess } from '../../support/coordinator-process.ts';
import { measureCoordinatorMemory } from '../coordinator/memory.ts';
import type { LoadAnswer, LoadCall, LoadJob } from './client.ts';
import { runScript, temporaryFolder } from '../../support/run-script.ts';

const RUN_COUNT = 10_000;
const WATCH: LoadCall = 'WatchSweep, the last event of an ended sweep';
const CALLS: readonly LoadCall[] = ['GetSweep', 'GetRun', 'ListRuns, a page of 100', WATCH];
const CONCURRENCIES = [1, 16, 64];
const CLIENT = fileURLToPath(new URL('client.ts', import.meta.url));

const HELP = `Calls a coordinator with ${RUN_COUNT} runs in its database as fast as it answers, then watches its memory.

  npm run bench:load [-- --seconds 5 --clients 2 --memory 600]

--seconds of each row; --clients are processes that call; --memory are seconds with 500 watchers that get events all the time
(0: not). The clients run on the same machine and take their share of it. The exit code is 1 where a call fails or the memory
grows by more than a tenth from the first to the last third.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '5' },
      clients: { type: 'string', default: '2' },
      memory: { type: 'string', default: '600' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const folder = temporaryFolder('graft-load-');
  try {
    const failures = await measureCalls(folder, Number(values.seconds), Number(values.clients));
    const isFlat = Number(values.memory) === 0 || (await measureMemory(folder, Number(values.memory)));
    return failures === 0 && isFlat ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns ten values; ten of each of four parameters are 10,000 runs. */
function valuesOf(value: (index: number) => number): ParameterDomain {
  return { kind: 'values', values: Array.from({ length: 10 }, (_, index) => value(index)) };
}

/** @returns the number of failed calls. */
async function measureCalls(folder: string, seconds: number, clientCount: number): Promise<number> {
  await using coordinator = await CoordinatorProcess.start(mkdtempSync(join(folder, 'calls-')), { isBuilt: true });
  const spec = specOf({
    parameters: [
      { name: 'optimizer.learning_rate', domain: valuesOf((index) => 1e-4 * (index + 1)), conditions: [] },
      { name: 'head.dropout', domain: valuesOf((index) => 0.05 * index), conditions: [] },
      { name: 'head.units', domain: valuesOf((index) => 32 * (index + 1)), conditions: [] },
      { name: 'seed', domain: valuesOf((index) => index), conditions: [] },
    ],
  });
  const { sweep } = await coordinator.sweeps.call.createSweep(
    { requestId: '', spec: sweepSpecToProto(spec) },
    { deadlineMs: 60_000 },
  );
  if (sweep === undefined) throw new Error('The answer to CreateSweep has no sweep.');
  const clients = Array.from({ length: clientCount }, () =>
    fork(CLIENT, [coordinator.address], { execArgv: ['--import', 'tsx'] }),
  );
  const rows: string[][] = [];
  let failureCount = 0;
  try {
    let lastCursor = '';
    for (const call of CALLS) {
      if (call === WATCH) lastCursor = await endSweep(coordinator, sweep.sweepId);
      for (const concurrency of CONCURRENCIES) {
        process.stderr.write(`${call}, ${concurrency} at a time\n`);
        const job = { call, sweepId: sweep.sweepId, runCount: RUN_COUNT, lastCursor, seconds };
        const begin = performance.now();
        const cpu = coordinator.cpuSeconds;
        const active = clients.slice(0, Math.min(clientCount, concurrency));
        const answers = await Promise.all(
          active.map((client) => ask(client, { ...job, concurrency: Math.ceil(concurrency / active.length) })),
        );
        const elapsed = (performance.now() - begin) / 1_000;
        const sorted = Float64Array.from(answers.flatMap(({ milliseconds }) => milliseconds)).sort();
        const failures = answers.flatMap(({ failures: some }) => some);
        failureCount += failures.length;
        if (failures[0] !== undefined) process.stderr.write(`  ${failures[0]}\n`);
        rows.push([
          call,
          String(concurrency),
          (sorted.length / elapsed).toFixed(0),
          (sorted[Math.floor(sorted.length * 0.5)] ?? Number.NaN).toFixed(1),
          (sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN).toFixed(1),
          String(failures.length),
          `${((100 * (coordinator.cpuSeconds - cpu)) / elapsed).toFixed(0)} %`,
          `${(coordinator.residentBytes / 1e6).toFixed(0)} MB`,
        ]);
      }
    }
  } finally {
    for (const client of clients) client.disconnect();
  }
  const columns = ['call', 'at a time', 'calls/s', 'p50 ms', 'p99 ms', 'failed', 'coordinator CPU', 'memory'];
  const table = renderTable(
    columns.map((title, index) => (index === 0 ? { title } : { title, align: 'right' as const })),
    rows,
  );
  process.stdout.write(`${RUN_COUNT} runs in the database, ${clientCount} client processes.\n\n${table}\n`);
  return failureCount;
}

/** @returns the cursor of its last event. */
async function endSweep({ sweeps }: CoordinatorProcess, sweepId: string): Promise<string> {
  await sweeps.call.cancelSweep({ sweepId, reason: 'measured' }, { deadlineMs: 60_000 });
  let last = 0n;
  for await (const { cursor } of sweeps.call.watchSweep({ sweepId, cursor: 0n })) last = cursor;
  return String(last);
}

async function ask(client: ChildProcess, job: LoadJob): Promise<LoadAnswer> {
  const answer = once(client, 'message') as Promise<[LoadAnswer]>;
  client.send(job);
  return (await answer)[0];
}

/** @returns false if the memory grew. */
async function measureMemory(folder: string, seconds: number): Promise<boolean> {
  process.stderr.write(`memory over ${seconds} s\n`);
  const memory = await measureCoordinatorMemory(mkdtempSync(join(folder, 'memory-')), seconds);
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  process.stdout.write(
    `\n${memory.watcherCount} watchers, ${seconds} s, ${memory.deliveredCount} events delivered: mean of the first third ` +
      `${megabytes(memory.firstBytes)}, of the last ${megabytes(memory.lastBytes)}, highest ${megabytes(memory.highestBytes)}.\n`,
  );
  return memory.lastBytes <= 1.1 * memory.firstBytes;
}

await runScript(main);
