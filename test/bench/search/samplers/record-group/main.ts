import process from 'node:process';
import { runScript } from '../../../../support/run-script.ts';
import { meanOf } from '../../paired-interval.ts';
import { CONDITIONAL_FUNCTIONS } from '../functions.ts';
import { MARKS } from '../compare-samplers.ts';
import { SamplerPeers } from '../sampler-peers.ts';
import { regretsOf } from '../sampler-world.ts';

const SEEDS = 40;
const COUNT = Math.max(...MARKS);

/** Prints group-regrets.json: mean regrets of Optuna's TPE with groups on the conditional functions. */
async function main(): Promise<number> {
  const peers = await SamplerPeers.start();
  if ('reason' in peers) throw new Error(peers.reason);
  using processes = peers;
  const worlds: Record<string, number[]> = {};
  for (const world of CONDITIONAL_FUNCTIONS) {
    const regrets: number[][] = [];
    for (let seed = 0; seed < SEEDS; seed++) {
      const { points, observed } = await processes.search(world, {
        peer: 'optuna-group',
        batch: 1,
        count: COUNT,
        seed,
      });
      regrets.push(regretsOf(world, points, observed));
    }
    worlds[world.name] = MARKS.map((mark) => meanOf(regrets.map((each) => each[mark - 1] ?? Number.NaN)).mean);
  }
  process.stdout.write(`${JSON.stringify({ optuna: '5.0.0', seeds: SEEDS, marks: MARKS, worlds })}\n`);
  return 0;
}

await runScript(main);
