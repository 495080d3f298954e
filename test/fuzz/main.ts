import { rmSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { renderTable } from '../../services/cli/terminal/table.ts';
import { CoordinatorProcess } from '../support/coordinator-process.ts';
import { fuzzMethod } from './fuzz-methods.ts';
import type { MethodFindings } from './fuzz-methods.ts';
import { startGuardedCoordinator } from './guarded-coordinator.ts';
import { sendGarbage } from './http2-garbage.ts';
import { allMethods, HEALTH, RawClient } from './raw-calls.ts';
import { runScript, temporaryFolder } from '../support/run-script.ts';
import { measureWorst } from './worst.ts';

const HELP = `Sends random and mutated messages to every method of a coordinator, with a token that may call it and without any, and broken
HTTP/2 to its port.

  npm run fuzz [-- --messages 100000 --connections 20000 --seed 1 --only TEXT]
  npm run fuzz -- --worst [--seconds 60]

With --worst, eight clients send the costliest requests that the limits allow instead, and the latencies of cheap calls beside them
are printed; the exit code is 1 when the coordinator loses the leadership, takes the trainer for lost, or answers INTERNAL.

The exit code is 1 when the coordinator dies, answers with an error of its own, tells anything of its inside, or its memory
grows beyond 600 MB.
`;
const MEMORY_LIMIT_BYTES = 600e6;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      messages: { type: 'string', default: '100000' },
      connections: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
      worst: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '60' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.worst) return await worst(Number(values.seconds));
  const seed = Number(values.seed);
  const folder = temporaryFolder('graft-fuzz-');
  try {
    await using guarded = await startGuardedCoordinator(folder);
    const { coordinator } = guarded;
    const methods = allMethods();
    const others = methods.flatMap(({ samples }) => samples);
    const findings: MethodFindings[] = [];
    for (const method of methods.filter(({ path }) => path.includes(values.only))) {
      for (const token of [guarded.tokenFor(method.path), null]) {
        const options = { coordinator, token, seed, messageCount: Number(values.messages) };
        const found = await fuzzMethod(options, method, others);
        findings.push(found);
        process.stderr.write(`${found.path}: ${found.messageCount} messages in ${found.seconds.toFixed(0)} s\n`);
      }
    }
    const before = coordinator.residentBytes;
    await sendGarbage(coordinator.address, seed, Number(values.connections));
    const after = coordinator.residentBytes;
    const client = new RawClient(coordinator.address, null);
    const health = await client.call(HEALTH, () => Buffer.alloc(0));
    client.close();
    process.stdout.write(`\n${render(findings)}\n\n`);
    const faults = findings.flatMap(({ faults: some }) => some);
    process.stdout.write(`Faults: ${faults.length === 0 ? 'none' : `\n  ${faults.join('\n  ')}`}\n`);
    process.stdout.write(
      `${values.connections} connections of broken HTTP/2: memory ${megabytes(before)} before, ${megabytes(after)} after; ` +
        `health is answered with ${health.code}.\n`,
    );
    const highest = Math.max(after, ...findings.map(({ highestBytes }) => highestBytes));
    return health.code === 'OK' && faults.length === 0 && highest <= MEMORY_LIMIT_BYTES ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function worst(seconds: number): Promise<number> {
  const folder = temporaryFolder('graft-fuzz-');
  try {
    await using coordinator = await CoordinatorProcess.start(folder, {
      env: { GRAFT_LOG_LEVEL: 'error' },
      isBuilt: true,
    });
    const found = await measureWorst({ coordinator, seconds, runCount: 10_000 });
    const rows = Object.entries(found.cheap).map(([name, { count, p50, p99, max }]) => [
      name,
      String(count),
      ...[p50, p99, max].map((milliseconds) => milliseconds.toFixed(1)),
    ]);
    const columns = ['calls', 'p50 ms', 'p99 ms', 'max ms'].map((title) => ({ title, align: 'right' as const }));
    process.stdout.write(`${renderTable([{ title: 'call' }, ...columns], rows)}\n\n`);
    const ended = Object.entries(found.hostile).map(([key, count]) => `${key} ${count}`);
    process.stdout.write(
      `Eight hostile clients: ${ended.join(', ')}.\n` +
        `Leadership: ${found.leaderLost} of ${found.leaderPolls} looks found it lost. Trainer: ${found.trainerState}. ` +
        `Memory: at most ${megabytes(found.highestBytes)}. Load of the machine: ${found.load.map((one) => one.toFixed(1)).join(' → ')}.\n`,
    );
    const isHealthy = found.leaderLost === 0 && found.trainerState === 'READY';
    return isHealthy && !ended.some((key) => /INTERNAL|UNKNOWN/.test(key)) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function render(findings: readonly MethodFindings[]): string {
  return renderTable(
    [
      { title: 'method' },
      { title: 'token' },
      { title: 'messages', align: 'right' },
      { title: 'seconds', align: 'right' },
      { title: 'memory', align: 'right' },
      { title: 'answers' },
    ],
    findings.map(({ path, hasToken, messageCount, seconds, highestBytes, codes }) => [
      path,
      hasToken ? 'yes' : 'no',
      String(messageCount),
      seconds.toFixed(1),
      megabytes(highestBytes),
      [...codes]
        .toSorted((a, b) => b[1] - a[1])
        .map(([code, count]) => `${code} ${count}`)
        .join(', '),
    ]),
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

await runScript(main);
