import { rmSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { renderTable } from '../../services/cli/table.ts';
import { fuzzMethod } from './fuzz-methods.ts';
import type { MethodFindings } from './fuzz-methods.ts';
import { startGuardedCoordinator } from './guarded-coordinator.ts';
import { sendGarbage } from './http2-garbage.ts';
import { allMethods, HEALTH, RawClient } from './raw-calls.ts';
import { runScript, temporaryFolder } from '../support/run-script.ts';

const HELP = `Sends random and mutated messages to every method of a coordinator, with a token that may call it and without any, and broken
HTTP/2 to its port.

  npm run fuzz [-- --messages 100000 --connections 20000 --seed 1 --only TEXT]

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
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
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
