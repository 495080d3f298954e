import { atMost, percent, points, seedsOf, withInterval } from '../bench-result.ts';
import type { BenchResult, BenchSettings, Target } from '../bench-result.ts';
import { bySeed, meanOf } from '../paired-interval.ts';
import type { Mean } from '../paired-interval.ts';
import { readLcBench } from '../worlds/lcbench.ts';
import { Surrogate } from './curve-space.ts';
import type { CurveSpace, SpaceOutcome } from './curve-space.ts';
import { searchInRounds } from './graft-rounds.ts';
import type { RoundSettings } from './graft-rounds.ts';
import { SPACE_PEERS, SpacePeers } from './space-peers.ts';
import type { SpacePeerName } from './space-peers.ts';

const RUNS = 24;
const SLOTS = 4;
const FACTOR = 3;
const FIRST_RUNG = 6;
/** A peer asks for runs one by one over lines, and a Gaussian process takes its time. */
const MOST_SEEDS = 20;
const OF_HYPERBAND = 0.7;

/** Searches by Graft, as tables show them. */
const GRAFT = {
  'Graft gp + promotion': { strategy: 'gp', explore: null, roundRuns: null },
  'Graft gp + promotion, round_runs: 4': { strategy: 'gp', explore: null, roundRuns: SLOTS },
  'Graft tpe + promotion': { strategy: 'tpe', explore: null, roundRuns: null },
  'Graft Sobol points + promotion': { strategy: 'gp', explore: 1, roundRuns: null },
} as const satisfies Readonly<Record<string, Pick<RoundSettings, 'strategy' | 'explore' | 'roundRuns'>>>;
type GraftName = keyof typeof GRAFT;
/** The searches that are judged; peers get the epochs of each. */
const JUDGED: readonly GraftName[] = ['Graft gp + promotion', 'Graft gp + promotion, round_runs: 4'];
const SOBOL: GraftName = 'Graft Sobol points + promotion';

interface TimedOutcome extends SpaceOutcome {
  /** Real time of the search, with the evaluation of the surrogate. */
  readonly seconds: number;
}

/** B4, second half: what a sampler and a rule find together with the same number of epochs. */
export async function adaptive({ seeds, say }: BenchSettings): Promise<BenchResult | { readonly reason: string }> {
  const data = readLcBench();
  if ('reason' in data) return data;
  const surrogate = await Surrogate.start();
  if ('reason' in surrogate) return surrogate;
  using world = surrogate;
  const peers = await SpacePeers.start();
  if ('reason' in peers) return { reason: `The peers can't be installed here: ${peers.reason}` };
  using processes = peers;
  const spaces: CurveSpace[] = [];
  for (const task of data.tasks) spaces.push(await world.space(task, data.epochs));
  const chosen = seedsOf(Math.min(seeds, MOST_SEEDS));
  const outcomes = new Map<string, TimedOutcome[]>();
  const record = async (name: string, search: () => Promise<SpaceOutcome>): Promise<SpaceOutcome> => {
    const start = performance.now();
    const outcome = await search();
    const seconds = (performance.now() - start) / 1000;
    outcomes.set(name, [...(outcomes.get(name) ?? []), { ...outcome, seconds }]);
    return outcome;
  };
  for (const seed of chosen) {
    say(`adaptive: seed ${seed}`);
    for (const [task, space] of spaces.entries()) {
      const own = seed * spaces.length + task;
      for (const [name, side] of Object.entries(GRAFT)) {
        const settings = { ...side, maxRuns: RUNS, slots: SLOTS, seed: own };
        const { epochs } = await record(name, () => searchInRounds(space, settings));
        if (!JUDGED.some((judged) => judged === name)) continue;
        for (const peer of Object.keys(SPACE_PEERS) as SpacePeerName[]) {
          const same = { slots: SLOTS, firstRung: FIRST_RUNG, factor: FACTOR, seed: own, epochs };
          await record(peerOf(peer, name), () => processes.search(peer, space, same));
        }
      }
    }
  }
  const regretsOf = (name: string): number[] => (outcomes.get(name) ?? []).map(({ regret }) => regret);
  const against = (own: GraftName, other: string, factor: number): Mean => {
    const theirs = regretsOf(other);
    const differences = regretsOf(own).map((regret, place) => regret - factor * (theirs[place] ?? Number.NaN));
    return meanOf(bySeed(differences, chosen.length));
  };
  const target = (own: GraftName, peer: SpacePeerName, factor: number): Target => {
    const name = `${own}: regret minus ${factor} × that of ${SPACE_PEERS[peer]} ≤ 0`;
    return atMost(name, against(own, peerOf(peer, own), factor), 0, points);
  };
  return {
    title: `B4 adaptive: ${data.tasks.length} LCBench tasks, ${RUNS} runs of ${data.epochs} epochs, ${SLOTS} slots, rungs at ${FIRST_RUNG} and ${FACTOR * FIRST_RUNG}`,
    columns: [
      { title: 'search' },
      { title: 'epochs', align: 'right' },
      { title: 'runs', align: 'right' },
      { title: 'regret, points', align: 'right' },
      { title: 'took', align: 'right' },
    ],
    rows: [...outcomes].map(([name, all]) => {
      const [epochs, runs, regret, took] = [
        all.map((one) => one.epochs / (RUNS * data.epochs)),
        all.map((one) => one.runs),
        all.map((one) => one.regret),
        all.map((one) => one.seconds),
      ].map((values) => meanOf(bySeed(values, chosen.length)));
      const half = ((regret?.high ?? 0) - (regret?.low ?? 0)) / 2;
      const shown = `${points(regret?.mean ?? 0)} ± ${points(half)}`;
      return [
        name,
        percent(epochs?.mean ?? 0),
        (runs?.mean ?? 0).toFixed(1),
        shown,
        `${(took?.mean ?? 0).toFixed(1)} s`,
      ];
    }),
    targets: JUDGED.flatMap((own) => [
      // In rounds of 8 it is missed for the reason in README.md.
      { ...target(own, 'optuna-tpe-hyperband', OF_HYPERBAND), hasReason: GRAFT[own].roundRuns === null },
      target(own, 'syne-bohb', 1),
    ]),
    notes: [
      `${chosen.length} seeds. The surrogate is evaluated at each point. Peers stop once they have trained as many ` +
        'epochs as the search of Graft that is named. regret: best final accuracy that a search of 23,000 points finds minus the best that a run has shown.',
      `For comparison: regret of gp minus that of the same rounds of Sobol points: ${withInterval(against('Graft gp + promotion', SOBOL, 1), points)}.`,
    ],
  };
}

/** Returns the name of a peer's searches that have as many epochs as those of Graft. */
function peerOf(peer: SpacePeerName, name: string): string {
  return `${SPACE_PEERS[peer]}, epochs of ${name}`;
}
