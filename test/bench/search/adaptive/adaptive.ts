import { atMost, percent, points, seedsOf, withInterval } from '../bench-result.ts';
import type { BenchResult, BenchSettings } from '../bench-result.ts';
import { bySeed, meanOf } from '../paired-interval.ts';
import type { Mean } from '../paired-interval.ts';
import { readLcBench } from '../worlds/lcbench.ts';
import { curveSpace } from './curve-space.ts';
import type { CurveSpace, SpaceOutcome } from './curve-space.ts';
import { searchInRounds } from './graft-rounds.ts';
import { SPACE_PEERS, SpacePeers } from './space-peers.ts';
import type { SpacePeerName } from './space-peers.ts';

const RUNS = 24;
const SLOTS = 4;
const FACTOR = 3;
const FIRST_RUNG = 6;
/** A peer asks for runs one by one over lines, and a Gaussian process takes its time. */
const MOST_SEEDS = 20;
const OF_HYPERBAND = 0.7;

const GRAFT = {
  gp: 'Graft gp + promotion',
  tpe: 'Graft tpe + promotion',
  sobol: 'Graft Sobol points + promotion',
} as const;

/** B4, second half: what a sampler and a rule find together with the same number of epochs. */
export async function adaptive({ seeds, say }: BenchSettings): Promise<BenchResult | { readonly reason: string }> {
  const data = readLcBench();
  if ('reason' in data) return data;
  const peers = await SpacePeers.start();
  if ('reason' in peers) return { reason: `The peers can't be installed here: ${peers.reason}` };
  using processes = peers;
  const spaces = data.tasks.map((_, task) => curveSpace(data, task));
  const chosen = seedsOf(Math.min(seeds, MOST_SEEDS));
  const outcomes = new Map<string, SpaceOutcome[]>();
  const record = (name: string, outcome: SpaceOutcome): void => {
    outcomes.set(name, [...(outcomes.get(name) ?? []), outcome]);
  };
  for (const seed of chosen) {
    say(`adaptive: seed ${seed}`);
    for (const [task, space] of spaces.entries()) {
      const own = seed * spaces.length + task;
      const gp = ours(space, 'gp', own);
      record(GRAFT.gp, gp);
      record(GRAFT.tpe, ours(space, 'tpe', own));
      record(GRAFT.sobol, ours(space, 'sobol', own));
      for (const peer of Object.keys(SPACE_PEERS) as SpacePeerName[]) {
        const settings = { slots: SLOTS, firstRung: FIRST_RUNG, factor: FACTOR, seed: own, epochs: gp.epochs };
        record(SPACE_PEERS[peer], await processes.search(peer, space, settings));
      }
    }
  }
  const regretsOf = (name: string): number[] => (outcomes.get(name) ?? []).map(({ regret }) => regret);
  const against = (name: string, factor: number): Mean => {
    const theirs = regretsOf(name);
    const differences = regretsOf(GRAFT.gp).map((regret, place) => regret - factor * (theirs[place] ?? Number.NaN));
    return meanOf(bySeed(differences, chosen.length));
  };
  const { 'optuna-tpe-hyperband': hyperband, 'syne-bohb': bohb } = SPACE_PEERS;
  return {
    title: `B4 adaptive: ${data.tasks.length} LCBench tasks, ${RUNS} runs of ${data.epochs} epochs, ${SLOTS} slots, rungs at ${FIRST_RUNG} and ${FACTOR * FIRST_RUNG}`,
    columns: [
      { title: 'search' },
      { title: 'epochs', align: 'right' },
      { title: 'runs', align: 'right' },
      { title: 'regret, points', align: 'right' },
    ],
    rows: [...outcomes].map(([name, all]) => {
      const [epochs, runs, regret] = [
        all.map((one) => one.epochs / (RUNS * data.epochs)),
        all.map((one) => one.runs),
        all.map((one) => one.regret),
      ].map((values) => meanOf(bySeed(values, chosen.length)));
      const half = ((regret?.high ?? 0) - (regret?.low ?? 0)) / 2;
      const shown = `${points(regret?.mean ?? 0)} ± ${points(half)}`;
      return [name, percent(epochs?.mean ?? 0), (runs?.mean ?? 0).toFixed(1), shown];
    }),
    targets: [
      atMost(
        `regret of gp minus ${OF_HYPERBAND} × that of ${hyperband} ≤ 0`,
        against(hyperband, OF_HYPERBAND),
        0,
        points,
      ),
      atMost(`regret of gp minus that of ${bohb} ≤ 0`, against(bohb, 1), 0, points),
    ],
    notes: [
      `${chosen.length} seeds. A point of the space has the curve of the nearest of 400 recorded configurations. Peers start no run once they have ` +
        'trained as many epochs as Graft with gp. regret: best final accuracy of the task minus the best of the runs trained to their end.',
      `For comparison: regret of gp minus that of the same rounds of Sobol points: ${withInterval(against(GRAFT.sobol, 1), points)}.`,
    ],
  };
}

function ours(space: CurveSpace, sampler: 'gp' | 'tpe' | 'sobol', seed: number): SpaceOutcome {
  const strategy = sampler === 'sobol' ? 'gp' : sampler;
  return searchInRounds(space, {
    strategy,
    explore: sampler === 'sobol' ? 1 : null,
    maxRuns: RUNS,
    slots: SLOTS,
    seed,
  });
}
