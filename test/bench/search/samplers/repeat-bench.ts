import { expectedMaximum } from '../../../../services/core/statistics/expected-maximum.ts';
import { atMost, seedsOf, withInterval } from '../bench-result.ts';
import type { BenchResult, BenchSettings } from '../bench-result.ts';
import { meanOf } from '../paired-interval.ts';
import type { Mean } from '../paired-interval.ts';
import { MOST_SEEDS } from './compare-samplers.ts';
import { noiseOf, searchWithModel } from './model-search.ts';
import { SAMPLER_PEERS, SamplerPeers } from './sampler-peers.ts';
import type { WorldPoint } from './sampler-world.ts';
import { HPOBENCH, readTables } from './tables.ts';
import type { TableWorld } from './tables.ts';

const COUNT = 48;
const BATCH = 8;
/** η: the best ⌊n/η⌋ + 1 points are measured again. */
const FACTOR = 3;
const MEASUREMENTS = 3;
/** The largest number of finalists. */
const MOST_FINALISTS = 3;
/** Quantile of the normal distribution: a mean that is worse with 90 % confidence is distinguishable from the best. */
const ONE_SIDED = 1.2816;
const MAX_REGRET = 0.09;
const MAX_BIAS = 0.25;

/** The winner of one search, by one way to choose it. */
interface Winner {
  /** True value minus the optimum, by the world's unit. */
  readonly regret: number;
  /** True value minus the reported one: by that much it looks better than it is, by the world's unit. */
  readonly luck: number;
}

interface Winners {
  readonly single: Winner;
  readonly repeated: Winner;
  /** The repeated winner with the expected luck subtracted from what is reported. */
  readonly deflated: Winner;
}

/** Measurements of a search by SMAC, which chooses the points that it repeats: as many as Graft's points and repeats together. */
const SMAC_COUNT = COUNT + MEASUREMENTS * (Math.floor(COUNT / FACTOR) + 1);

/** B3: what repeated measurements of the best points are worth on noisy tables. A reason where the tables or the peers are missing. */
export async function repeats({ seeds, say }: BenchSettings): Promise<BenchResult | { readonly reason: string }> {
  const worlds = readTables(HPOBENCH);
  if ('reason' in worlds) return worlds;
  const peers = await SamplerPeers.start();
  if ('reason' in peers) return { reason: `The peers can't be installed here: ${peers.reason}` };
  using processes = peers;
  const found = (['sobol', 'gp'] as const).map((model) => {
    const chosen = seedsOf(model === 'gp' ? Math.min(seeds, MOST_SEEDS) : seeds);
    const winners = chosen.map((seed) => worlds.map((world) => winnersOf(world, model, seed)));
    say(`repeats: ${model}`);
    const means = (kind: keyof Winners, figure: keyof Winner): number[] =>
      winners.map((each) => each.reduce((sum, one) => sum + one[kind][figure], 0) / worlds.length);
    return { model, means };
  });
  const row = (kind: keyof Winners, title: string): string[][] =>
    found.map(({ model, means }) => [
      `${model}, ${title}`,
      withInterval(meanOf(means(kind, 'regret')), shown),
      withInterval(meanOf(means(kind, 'luck')), shown),
    ]);
  const targets = found.flatMap(({ model, means }) => {
    const single = means('single', 'luck');
    const beyond = (sign: number): Mean =>
      meanOf(means('deflated', 'luck').map((luck, seed) => sign * luck - MAX_BIAS * (single[seed] ?? Number.NaN)));
    return [
      atMost(
        `${model}: regret of the best third, measured ${MEASUREMENTS} times, ≤ ${MAX_REGRET}`,
        meanOf(means('repeated', 'regret')),
        MAX_REGRET,
        shown,
      ),
      atMost(
        `${model}: expected minus true value, minus ${MAX_BIAS} × the luck of a single measurement, ≤ 0`,
        beyond(1),
        0,
        shown,
      ),
      atMost(
        `${model}: true minus expected value, minus ${MAX_BIAS} × the luck of a single measurement, ≤ 0`,
        beyond(-1),
        0,
        shown,
      ),
    ];
  });
  const smac: (readonly Winner[])[] = [];
  for (const seed of seedsOf(Math.min(seeds, MOST_SEEDS))) {
    const winners: Winner[] = [];
    for (const world of worlds) winners.push(await smacWinner(world, processes, seed));
    smac.push(winners);
  }
  say('repeats: SMAC');
  const ofSmac = (figure: keyof Winner): string =>
    withInterval(meanOf(smac.map((winners) => averageOf(winners.map((winner) => winner[figure])))), shown);
  return {
    title: `B3 repeats: ${COUNT} points on ${worlds.length} HPOBench tables, ${seeds} seeds, ${Math.min(seeds, MOST_SEEDS)} of gp`,
    columns: [
      { title: 'points, choice of the winner' },
      { title: 'regret', align: 'right' },
      { title: 'reported minus true', align: 'right' },
    ],
    rows: [
      ...row('single', 'a single measurement'),
      ...row('repeated', `best third, ${MEASUREMENTS} fresh measurements`),
      ...row('deflated', `the same, minus E[max]·SE`),
      [`${SAMPLER_PEERS['smac-repeats']}, ${SMAC_COUNT} measurements`, ofSmac('regret'), ofSmac('luck')],
    ],
    targets,
    notes: [
      'Regret and luck are parts of the distance from the mean of a table to its optimum. A point has five recorded measurements and their ' +
        'mean as the truth; the first one ranks, three others are averaged. E[max]·SE: by that much the best of up to ' +
        `${MOST_FINALISTS} finalists looks better than it is. SMAC decides which points it measures again; its winner is its incumbent, and ` +
        'what it reports is the mean of the measurements of it.',
    ],
  };
}

const shown = (value: number): string => value.toFixed(3);

/** A point of a search with the measurements that are made of it. */
interface Candidate {
  readonly truth: number;
  /** Measurement that the search saw. */
  readonly first: number;
  /** Mean of the fresh measurements, and the variance of one of them. */
  readonly mean: number;
  readonly variance: number;
}

function winnersOf(world: TableWorld, model: 'sobol' | 'gp', seed: number): Winners {
  const { points, observed } = searchWithModel(world, { model, batch: BATCH, count: COUNT, seed });
  const candidates = points.map((point, place): Candidate => {
    const own = Math.floor(noiseOf(seed, place) * world.seedCount);
    const fresh = Array.from({ length: MEASUREMENTS }, (_, repeat) =>
      world.measure(point, (own + 1 + repeat) % world.seedCount),
    );
    const mean = averageOf(fresh);
    const variance = fresh.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (MEASUREMENTS - 1);
    return { truth: world.truth(point), first: observed[place] ?? Infinity, mean, variance };
  });
  const ranked = candidates.toSorted((a, b) => a.first - b.first);
  const third = ranked.slice(0, Math.floor(COUNT / FACTOR) + 1).toSorted((a, b) => a.mean - b.mean);
  const [single, repeated] = [ranked[0], third[0]];
  if (single === undefined || repeated === undefined) throw new Error('Nothing was searched.');
  const error = Math.sqrt(averageOf(third.map(({ variance }) => variance)) / MEASUREMENTS);
  const equals = third
    .filter(({ mean }) => mean - repeated.mean < ONE_SIDED * Math.SQRT2 * error)
    .slice(0, MOST_FINALISTS);
  const winner = ({ truth }: Candidate, reported: number): Winner => {
    return { regret: (truth - world.optimum) / world.unit, luck: (truth - reported) / world.unit };
  };
  return {
    single: winner(single, single.first),
    repeated: winner(repeated, repeated.mean),
    deflated: winner(repeated, repeated.mean + expectedMaximum(equals.length) * error),
  };
}

/** Returns the incumbent of a search by SMAC; a point that is asked for again is measured by another seed of the table. */
async function smacWinner(world: TableWorld, peers: SamplerPeers, seed: number): Promise<Winner> {
  const keyOf = (point: WorldPoint): string => world.dimensions.map(({ name }) => point[name]).join(' ');
  const measured = new Map<string, { readonly first: number; readonly values: number[] }>();
  const search = { peer: 'smac-repeats', batch: 1, count: SMAC_COUNT, seed } as const;
  await peers.searchBy(world.dimensions, search, (point, place) => {
    const own = measured.get(keyOf(point)) ?? { first: Math.floor(noiseOf(seed, place) * world.seedCount), values: [] };
    const value = world.measure(point, (own.first + own.values.length) % world.seedCount);
    own.values.push(value);
    measured.set(keyOf(point), own);
    return value;
  });
  const best = await peers.incumbent();
  const truth = world.truth(best);
  const reported = averageOf(measured.get(keyOf(best))?.values ?? []);
  return { regret: (truth - world.optimum) / world.unit, luck: (truth - reported) / world.unit };
}

function averageOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
