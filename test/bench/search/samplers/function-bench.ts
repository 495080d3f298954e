import { seedsOf, withInterval } from '../bench-result.ts';
import type { BenchResult, BenchSettings } from '../bench-result.ts';
import type { Mean } from '../paired-interval.ts';
import {
  difference,
  judge,
  MARKS,
  modelSide,
  MOST_SEEDS,
  peerSide,
  scoresOf,
  scoreSides,
  shown,
} from './compare-samplers.ts';
import type { Mark, Side } from './compare-samplers.ts';
import { CONDITIONAL_FUNCTIONS, FLAT_FUNCTIONS } from './functions.ts';
import { SamplerPeers } from './sampler-peers.ts';

const COUNT = 100;
const OF_OPTUNA_GP = 1.1;
const OF_GROUP = 0.8;

const GP = modelSide('gp', 1, COUNT);
const TPE = modelSide('tpe', 1, COUNT);
const OWN = [GP, TPE, modelSide('sobol', 1, COUNT)];
const OPTUNA_TPE = peerSide('optuna-tpe', 1, COUNT);
const OPTUNA_GROUP = peerSide('optuna-group', 1, COUNT);
const OPTUNA_GP = peerSide('optuna-gp', 1, COUNT);
const SMAC_FOREST = peerSide('smac-forest', 1, COUNT);
const SMAC_GP = peerSide('smac-gp', 1, COUNT);

/** B1: samplers on functions without noise, one suggestion at a time. A reason where the peers are missing. */
export async function functions({ seeds, say }: BenchSettings): Promise<BenchResult[] | { readonly reason: string }> {
  const peers = await SamplerPeers.start();
  if ('reason' in peers) return { reason: `The peers can't be installed here: ${peers.reason}` };
  using processes = peers;
  const chosen = seedsOf(Math.min(seeds, MOST_SEEDS));
  const results: BenchResult[] = [];
  for (const world of [...FLAT_FUNCTIONS, ...CONDITIONAL_FUNCTIONS]) {
    const isFlat = FLAT_FUNCTIONS.includes(world);
    const sides = [...OWN, OPTUNA_TPE, ...(isFlat ? [OPTUNA_GP, SMAC_GP] : [OPTUNA_GROUP]), SMAC_FOREST];
    const scores = await scoreSides([world], sides, chosen, processes, say);
    const compare = (ours: Side, theirs: Side, factor: number, mark: Mark): Mean =>
      difference(scoresOf(scores, ours.name), scoresOf(scores, theirs.name), factor, mark);
    const [peer, factor] = isFlat ? [OPTUNA_GP, OF_OPTUNA_GP] : [OPTUNA_GROUP, OF_GROUP];
    const targets = MARKS.map((mark) =>
      judge(`${GP.name} at ${mark} minus ${factor} × ${peer.name} ≤ 0`, compare(GP, peer, factor, mark), 0),
    );
    const ofTpe = isFlat
      ? []
      : MARKS.map((mark) => `${withInterval(compare(TPE, OPTUNA_GROUP, 1, mark), shown)} at ${mark}`);
    results.push({
      title: `B1 ${world.name}: regret after 12, 24, 48 and 100 evaluations, one by one, ${chosen.length} seeds`,
      columns: [
        { title: 'sampler' },
        ...MARKS.map((mark) => ({ title: `n = ${mark}`, align: 'right' as const })),
        { title: 'wall', align: 'right' },
      ],
      rows: [...scores.values()].map((side) => side.cells()),
      targets,
      notes: [
        'Regret: true value of the best observed point minus the optimum. Wall: time of all suggestions of a search; Python and Node.js ' +
          'each on one thread. It is printed, not judged.',
        ...(isFlat ? [] : [`For comparison: ${TPE.name} minus ${OPTUNA_GROUP.name}: ${ofTpe.join('; ')}.`]),
      ],
    });
  }
  return results;
}
