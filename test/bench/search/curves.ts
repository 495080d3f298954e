import type { StoppingSpec } from '../../../services/core/sweep/search-spec.ts';
import { atMost, percent, points, seedsOf, withInterval } from './bench-result.ts';
import type { BenchResult, BenchSettings } from './bench-result.ts';
import { searchWithGraft } from './graft-search.ts';
import type { Outcome } from './outcome.ts';
import { bySeed, meanOf } from './paired-interval.ts';
import type { Mean } from './paired-interval.ts';
import { PEERS, PeerProcesses } from './peer-search.ts';
import type { PeerName } from './peer-search.ts';
import { lastOf, exhaustiveEpochs } from './world.ts';
import type { World } from './world.ts';
import { readLcBench } from './worlds/lcbench.ts';
import type { LcBench } from './worlds/lcbench.ts';

const RUNS = 24;
const SLOTS = 4;
/** η; and the first rung that Graft derives from 52 epochs: 6, 18, 52. Peers get the same. */
const FACTOR = 3;
const FIRST_RUNG = 6;
/** Slow peers without a target take this many seeds. */
const FEW_SEEDS = 20;

const MAX_EPOCHS = 0.36;
const MAX_REGRET = 0.0015;
const OF_OPTUNA = 0.6;
const OF_ASHA = 0.8;

/** Rules of Graft, as the table shows them. The first one has the targets. */
export const GRAFT_RULES: Readonly<Record<string, Partial<StoppingSpec>>> = {
  'Graft promotion': { rule: 'promotion' },
  'Graft promotion, promote_idle: false': { rule: 'promotion', promoteIdle: false },
  'Graft promotion, synchronous': { rule: 'promotion', synchronous: true },
  'Graft asha': { rule: 'asha' },
  'Graft median': { rule: 'median' },
  'Graft percentile': { rule: 'percentile' },
  'Graft none': { rule: 'none' },
};

const PAIRED_PEERS = ['optuna-halving', 'ray-asha', 'syne-asha', 'syne-promotion'] as const;
const OTHER_PEERS = ['optuna-hyperband', 'optuna-median'] as const;

/** Cost and regret of one side in each world, in the order of the seeds. */
export interface Scores {
  readonly seeds: number;
  readonly epochs: number[];
  readonly regrets: number[];
  /** Virtual time, as a part of that of all runs. */
  readonly walls: number[];
  /** Real milliseconds of each search. */
  readonly took: number[];
}

/** B4: stopping rules on learning curves, Graft's and peers', in the same worlds. A reason where the curves or the peers are missing. */
export async function curves({ seeds, say }: BenchSettings): Promise<BenchResult | { readonly reason: string }> {
  const data = readLcBench();
  if ('reason' in data) return data;
  const peers = await PeerProcesses.start();
  if ('reason' in peers) return { reason: `The peers can't be installed here: ${peers.reason}` };
  using processes = peers;
  const scores = new Map<string, Scores>();
  for (const [name, stopping] of Object.entries(GRAFT_RULES)) {
    say(`curves: ${name}`);
    scores.set(name, await scoreGraft(data, seeds, stopping));
  }
  for (const peer of [...PAIRED_PEERS, ...OTHER_PEERS]) {
    say(`curves: ${PEERS[peer]}`);
    scores.set(peer, await scorePeer(data, processes, peer, seeds));
  }
  return {
    title: `B4 curves: ${data.tasks.length} LCBench tasks, ${RUNS} runs of ${data.epochs} epochs, ${SLOTS} slots, rungs at ${FIRST_RUNG} and ${FACTOR * FIRST_RUNG}`,
    columns: [
      { title: 'rule' },
      { title: 'epochs', align: 'right' },
      { title: 'regret, points', align: 'right' },
      { title: 'wall', align: 'right' },
      { title: 'took', align: 'right' },
      { title: 'seeds', align: 'right' },
    ],
    rows: [...scores].map(([name, score]) => row(Object.hasOwn(PEERS, name) ? PEERS[name as PeerName] : name, score)),
    targets: targetsOf(scores),
    notes: [
      'epochs: of those of all runs. regret: best final accuracy of the world minus the best of the runs trained to their end. wall: of ' +
        'the time that all runs to their end take. Values are without noise; seconds are those of the curves. took: real time of a search, of a ' +
        'peer with the lines to its process; not judged.',
      `For comparison: regret minus ${OF_ASHA} × that of ${PEERS['syne-promotion']}, which later versions have no more: ` +
        `${withInterval(compare(scores, 'syne-promotion', OF_ASHA), points)}.`,
    ],
  };
}

/** Searches each task of each seed. */
export async function scoreGraft(data: LcBench, seeds: number, stopping: Partial<StoppingSpec>): Promise<Scores> {
  return scoreAll(data, seeds, (world) => searchWithGraft(world, { stopping, slots: SLOTS }));
}

function scorePeer(data: LcBench, processes: PeerProcesses, peer: PeerName, seeds: number): Promise<Scores> {
  const isPaired = PAIRED_PEERS.some((name) => name === peer);
  const settings = { slots: SLOTS, firstRung: FIRST_RUNG, factor: FACTOR };
  return scoreAll(data, isPaired ? seeds : Math.min(seeds, FEW_SEEDS), (world, seed) =>
    processes.search(peer, world, { ...settings, seed }),
  );
}

async function scoreAll(
  data: LcBench,
  seeds: number,
  search: (world: World, seed: number) => Promise<Outcome>,
): Promise<Scores> {
  const scores: Scores = { seeds, epochs: [], regrets: [], walls: [], took: [] };
  for (const seed of seedsOf(seeds)) {
    for (const task of data.tasks.keys()) {
      const world = data.world(task, RUNS, seed);
      // Python's generators take 32 bits.
      const start = performance.now();
      const outcome = await search(world, seed * data.tasks.length + task);
      scores.took.push(performance.now() - start);
      scores.epochs.push(outcome.epochs / exhaustiveEpochs(world));
      scores.regrets.push(regretOf(world, outcome));
      scores.walls.push(outcome.wallSeconds / wallOfAll(world));
    }
  }
  return scores;
}

function regretOf({ runs }: World, { complete }: Outcome): number {
  const finals = runs.map(({ fineTune }) => lastOf(fineTune?.truths ?? []));
  return Math.max(...finals) - Math.max(...complete.map((run) => finals[run] ?? 0));
}

/** Time that every run to its end takes on all slots, without gaps. */
function wallOfAll({ runs }: World): number {
  return runs.reduce((sum, { fineTune }) => sum + lastOf(fineTune?.seconds ?? []), 0) / SLOTS;
}

function row(name: string, { seeds, epochs, regrets, walls, took }: Scores): string[] {
  const means = [epochs, regrets, walls, took].map((values) => meanOf(bySeed(values, seeds)));
  const [cost = 0, regret = 0, wall = 0, milliseconds = 0] = means.map(({ mean }) => mean);
  const half = ((means[1]?.high ?? 0) - (means[1]?.low ?? 0)) / 2;
  return [
    name,
    percent(cost),
    `${points(regret)} ± ${points(half)}`,
    percent(wall),
    `${milliseconds.toFixed(0)} ms`,
    String(seeds),
  ];
}

function targetsOf(scores: ReadonlyMap<string, Scores>): BenchResult['targets'] {
  const ours = oursOf(scores);
  const against = (peer: PeerName, factor: number): BenchResult['targets'][number] => {
    const name = `regret minus ${factor} × that of ${PEERS[peer]} ≤ 0`;
    return atMost(name, compare(scores, peer, factor), 0, points);
  };
  return [
    atMost('epochs ≤ 36 %', meanOf(bySeed(ours.epochs, ours.seeds)), MAX_EPOCHS, percent),
    atMost('regret ≤ 0.15 points', meanOf(bySeed(ours.regrets, ours.seeds)), MAX_REGRET, points),
    against('optuna-halving', OF_OPTUNA),
    against('ray-asha', OF_ASHA),
    against('syne-asha', OF_ASHA),
  ];
}

/** Returns Graft's regret minus a multiple of a peer's in the same worlds. */
function compare(scores: ReadonlyMap<string, Scores>, peer: PeerName, factor: number): Mean {
  const ours = oursOf(scores);
  const theirs = scores.get(peer);
  const differences = ours.regrets.map((regret, at) => regret - factor * (theirs?.regrets[at] ?? Number.NaN));
  return meanOf(bySeed(differences, ours.seeds));
}

function oursOf(scores: ReadonlyMap<string, Scores>): Scores {
  const [ours] = scores.values();
  if (ours === undefined) throw new Error('Nothing was scored.');
  return ours;
}
