import process from 'node:process';
import { parseArgs } from 'node:util';
import { runScript } from '../../support/run-script.ts';
import { renderResult } from './bench-result.ts';
import type { BenchResult, BenchSettings } from './bench-result.ts';
import { adaptive } from './adaptive/adaptive.ts';
import { curves } from './curves.ts';
import { noise } from './noise.ts';
import { cost } from './samplers/cost-bench.ts';
import { costExponent } from './samplers/cost-exponent.ts';
import { functions } from './samplers/function-bench.ts';
import { repeats } from './samplers/repeat-bench.ts';
import { tables } from './samplers/table-bench.ts';
import { warmStart } from './samplers/warm-start.ts';
import { screens } from './screen.ts';
import { stages } from './stages.ts';

type Measured = BenchResult | { readonly reason: string };

const BENCHES: Readonly<Record<string, (settings: BenchSettings) => Promise<Measured | readonly Measured[]>>> = {
  curves,
  adaptive,
  noise,
  stages,
  functions,
  tables,
  repeats,
  cost,
  'warm-start': warmStart,
  'cost-exponent': costExponent,
  screen: screens,
};
/** Fewest seeds with which targets are judged. */
const MIN_SEEDS = 20;

const HELP = `What samplers find and stopping rules cost: the functions that the coordinator calls, and those of other libraries.

  npm run bench:search -- [--only ${Object.keys(BENCHES).join(',')}] [--seeds 200]

curves     learning curves of LCBench; Optuna, Ray and Syne Tune in the same worlds (installed on first use, 1 GB). 3 minutes
adaptive   the LCBench surrogate as a space that models search; Optuna's TPE with Hyperband, Syne Tune's BOHB. 20 seeds, 10 minutes
noise      equal and nearly equal runs, with the outcome of each validation image. 1 minute
screen     probes of nine candidates against all of their heads, in a cluster of its own. 15 minutes
stages     recorded grids of Graft's own: heads, then fine-tunes; Optuna's TPE at the same prices. npm run bench:grid records them
functions  samplers on functions without noise; Optuna's and SMAC's (installed on first use, 6 GB). 20 seeds, 2 hours
tables     samplers in rounds on recorded tables; Optuna's TPE, SMAC. 20 seeds, 20 minutes
repeats    points measured once or three times, on noisy tables; SMAC, which repeats as it sees fit. 20 seeds, 30 minutes
cost       processor time of a round of suggestions. Half a minute
warm-start, cost-exponent  the gain of two options that Graft does not have. 5 minutes each

The exit code is 1 when a target is missed or can't be measured, except one whose miss has its measured reason in README.md.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seeds: { type: 'string', default: '200' },
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
  let isMet = true;
  for (const name of names) {
    for (const result of [(await BENCHES[name]?.({ seeds, say })) ?? []].flat()) {
      if ('reason' in result) {
        isMet = false;
        process.stdout.write(`${name} could not be measured: ${result.reason}\n\n`);
        continue;
      }
      isMet &&= result.targets.every(({ isMet: met, hasReason }) => met || hasReason === true);
      process.stdout.write(`${renderResult(result)}\n\n`);
    }
  }
  return isMet ? 0 : 1;
}

await runScript(main);
