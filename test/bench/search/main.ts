import process from 'node:process';
import { parseArgs } from 'node:util';
import { runScript } from '../../support/run-script.ts';
import { renderResult } from './bench-result.ts';
import type { BenchResult, BenchSettings } from './bench-result.ts';
import { curves } from './curves.ts';
import { noise } from './noise.ts';
import { recordWorld } from './record.ts';
import { stages } from './stages.ts';

const BENCHES: Readonly<
  Record<string, (settings: BenchSettings) => Promise<BenchResult | { readonly reason: string }>>
> = {
  curves,
  noise,
  stages,
};
/** Fewest seeds with which targets are judged. */
const MIN_SEEDS = 20;

const HELP = `What stopping rules cost and find, on a virtual clock: the functions that the coordinator calls, and those of other libraries.

  npm run bench:search -- [--only ${Object.keys(BENCHES).join(',')}] [--seeds 200]
  npm run bench:search -- --record

curves   learning curves of LCBench; Optuna, Ray and Syne Tune in the same worlds (installed on first use, 1 GB). 3 minutes
noise    equal and nearly equal runs, with the outcome of each validation image. 1 minute
stages   the recorded grid of Graft's own: heads, then fine-tunes. Seconds; --record makes it on this machine

The exit code is 1 when a target is missed or can't be measured.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seeds: { type: 'string', default: '200' },
      record: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const names = values.only?.split(',') ?? Object.keys(BENCHES);
  const unknown = names.filter((name) => !Object.hasOwn(BENCHES, name));
  const seeds = Number(values.seeds);
  if (unknown.length > 0)
    say(`--only: there is no bench ${unknown.join(', ')}; use ${Object.keys(BENCHES).join(', ')}.`);
  if (!Number.isInteger(seeds) || seeds < MIN_SEEDS)
    say(`--seeds: give at least ${MIN_SEEDS}; received ${values.seeds}.`);
  if (unknown.length > 0 || !Number.isInteger(seeds) || seeds < MIN_SEEDS) return 2;
  if (values.record) {
    say(`recorded in ${await recordWorld(say)}`);
    return 0;
  }
  let isMet = true;
  for (const name of names) {
    const result = await BENCHES[name]?.({ seeds, say });
    if (result === undefined || 'reason' in result) {
      isMet = false;
      process.stdout.write(`${name} could not be measured: ${result?.reason ?? ''}\n\n`);
      continue;
    }
    isMet &&= result.targets.every((target) => target.isMet);
    process.stdout.write(`${renderResult(result)}\n\n`);
  }
  return isMet ? 0 : 1;
}

await runScript(main);
