import { rmSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { measureScheduler } from './scheduler.ts';
import { runScript, temporaryFolder } from '../../support/run-script.ts';

const HELP = `How well the coordinator keeps slots busy: one-second tasks on simulated slots, through real gRPC and PostgreSQL.

  npm run bench:scheduler -- [--tasks 10000] [--slots 16]

Each slot leases a task, computes nothing for a second, in the middle of which it reports an epoch's metrics, and completes it.
Takes tasks / slots seconds, 10 and a half minutes by default. The exit code is 1 when the target (1.4 % above the ideal, as 634 of
625 s) is missed.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      tasks: { type: 'string', default: '10000' },
      slots: { type: 'string', default: '16' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const taskCount = Number(values.tasks);
  const slotCount = Number(values.slots);
  const folder = temporaryFolder('graft-bench-');
  try {
    const say = (line: string): boolean => process.stderr.write(`${line}\n`);
    const outcome = await measureScheduler({ taskCount, slotCount, folder, say });
    const isMet = outcome.taskCount === taskCount && outcome.seconds <= outcome.targetSeconds;
    process.stdout.write(
      `${outcome.taskCount} of ${taskCount} one-second tasks on ${slotCount} slots: ${outcome.seconds.toFixed(1)} s; ` +
        `ideal ${outcome.idealSeconds.toFixed(1)} s, target ${outcome.targetSeconds.toFixed(1)} s: ${isMet ? 'met' : 'MISSED'}.\n` +
        `The coordinator used ${outcome.coordinatorCpuSeconds.toFixed(1)} s of processor time, ` +
        `${((1000 * outcome.coordinatorCpuSeconds) / outcome.taskCount).toFixed(1)} ms a task; ` +
        `the sweep was accepted in ${outcome.submitSeconds.toFixed(1)} s. ${outcome.between}\n`,
    );
    return isMet ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await runScript(main);
