import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChaos } from './run-chaos.ts';
import { describeFault } from './schedule.ts';
import { runScript, temporaryFolder } from '../support/run-script.ts';

const HELP = `Does harm to a small cluster that trains, then checks its record: npm run chaos -- [OPTIONS]

  --faults N     faults in all (100)
  --seed N       the same seed does the same faults in the same rhythm (1)
  --minutes N    begin no fault later than this
  --keep         keep the folder also where nothing is wrong

Kills and stops workers, trainers and coordinators, cuts, swallows and delays connections, restarts PostgreSQL, takes a worker's
right to write files, damages stored files; of trainers it meets those that hold a lease. Exit code 1 where an invariant is violated; the folder with
the database, the artifacts and all logs is then kept and named.
`;

/** Epochs of about half a minute on two cores, so that faults hit every stage. */
const SIZE = { cached: 80, augmented: 50, fineTune: 12 };

function readNumber(name: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new Error(`--${name}: must be a number from 0 on; received '${String(text)}'.`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      faults: { type: 'string' },
      seed: { type: 'string' },
      minutes: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seed = readNumber('seed', values.seed, 1);
  const faultCount = readNumber('faults', values.faults, 100);
  const limitMs = values.minutes === undefined ? null : readNumber('minutes', values.minutes, 0) * 60_000;
  const folder = temporaryFolder(`graft-chaos-${seed}-`);
  const say = (text: string): void => {
    process.stdout.write(`${text}\n`);
  };
  say(`seed ${seed}, ${faultCount} faults; everything is in ${folder}`);
  const { violationCount, faultsDone } = await runChaos({ seed, faultCount, limitMs, size: SIZE, folder, say });
  if (violationCount === 0) {
    if (!values.keep) rmSync(folder, { recursive: true, force: true });
    say(`all invariants hold after ${faultsDone.length} faults of seed ${seed}`);
    return 0;
  }
  say(`${violationCount} invariants are violated. Seed ${seed}; faults done:`);
  for (const fault of faultsDone) say(`  ${describeFault(fault)}`);
  say(`Logs: ${join(folder, 'logs')}. Database, artifacts, log of the run: ${folder}`);
  return 1;
}

await runScript(main);
