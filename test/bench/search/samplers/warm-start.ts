import { seedsOf, withInterval } from '../bench-result.ts';
import type { BenchResult, BenchSettings } from '../bench-result.ts';
import { meanOf } from '../paired-interval.ts';
import { MOST_SEEDS, shown } from './compare-samplers.ts';
import { searchWithModel } from './model-search.ts';
import type { SearchTrace } from './model-search.ts';
import { regretsOf } from './sampler-world.ts';
import type { WorldPoint } from './sampler-world.ts';
import { HPOBENCH, HPOLIB, readTables } from './tables.ts';
import type { TableWorld } from './tables.ts';

const COUNT = 48;
const BATCH = 8;
/** Points of the portfolio, and how many of each past sweep are candidates for it. */
const PORTFOLIO = 4;
const BEST_OF_EACH = 3;
const MARKS = [4, 12, 24, 48];

/**
 * The gain of a start from past sweeps of other data sets: a greedy portfolio of their best points (Syne Tune's zero-shot searcher) in place
 * of the first points of the Sobol sequence, one data set left out after the other. A reason where the tables are missing.
 */
export async function warmStart({ seeds, say }: BenchSettings): Promise<BenchResult[] | { readonly reason: string }> {
  const chosen = seedsOf(Math.min(seeds, MOST_SEEDS));
  const results: BenchResult[] = [];
  for (const [family, names] of Object.entries({ HPOLib: HPOLIB, HPOBench: HPOBENCH })) {
    const worlds = readTables(names);
    if ('reason' in worlds) return worlds;
    say(`warm-start: ${family}`);
    const bySeed = chosen.map((seed) => compare(worlds, seed));
    const column = (side: 0 | 1, mark: number): number[] =>
      bySeed.map((worldPairs) => averageOf(worldPairs.map((pair) => pair[side][mark - 1] ?? Number.NaN)));
    const gains = (mark: number): number[] =>
      column(0, mark).map((regret, seed) => (column(1, mark)[seed] ?? Number.NaN) - regret);
    results.push({
      title: `Warm start: ${worlds.length} ${family} tables, each one left out, gp in rounds of ${BATCH}, ${chosen.length} seeds`,
      columns: [{ title: 'start' }, ...MARKS.map((mark) => ({ title: `n = ${mark}`, align: 'right' as const }))],
      rows: [
        ['Sobol points', ...MARKS.map((mark) => shown(meanOf(column(0, mark)).mean))],
        [`${PORTFOLIO} points of other data sets`, ...MARKS.map((mark) => shown(meanOf(column(1, mark)).mean))],
        ['difference', ...MARKS.map((mark) => withInterval(meanOf(gains(mark)), shown))],
      ],
      targets: [],
      notes: [],
    });
  }
  return Promise.resolve(results);
}

/** Returns the regrets of a search without and with a warm start, for each world. */
function compare(worlds: readonly TableWorld[], seed: number): (readonly [readonly number[], readonly number[]])[] {
  const settings = { model: 'gp', batch: BATCH, count: COUNT, seed } as const;
  const cold = worlds.map((world) => searchWithModel(world, settings));
  return worlds.map((world, own) => {
    const past = cold.filter((_, place) => place !== own);
    const warm = searchWithModel(world, { ...settings, first: portfolioOf(past) });
    const trace = cold[own] ?? warm;
    return [regretsOf(world, trace.points, trace.observed), regretsOf(world, warm.points, warm.observed)];
  });
}

/** Returns the points that together rank best on all past sweeps, by what these have observed. */
function portfolioOf(past: readonly SearchTrace[]): WorldPoint[] {
  const candidates = past.flatMap((trace) => ranked(trace).slice(0, BEST_OF_EACH));
  const ranks = candidates.map((candidate) => past.map((trace) => rankOf(trace, candidate)));
  const chosen: WorldPoint[] = [];
  let best = past.map(() => Infinity);
  while (chosen.length < PORTFOLIO) {
    const means = ranks.map((own) => averageOf(own.map((rank, sweep) => Math.min(rank, best[sweep] ?? Infinity))));
    const open = means.map((mean, place) => (chosen.includes(candidates[place] ?? {}) ? Infinity : mean));
    const place = open.indexOf(Math.min(...open));
    const point = candidates[place];
    if (point === undefined) break;
    chosen.push(point);
    best = best.map((rank, sweep) => Math.min(rank, ranks[place]?.[sweep] ?? Infinity));
  }
  return chosen;
}

function ranked({ points, observed }: SearchTrace): WorldPoint[] {
  return points
    .map((point, place) => ({ point, value: observed[place] ?? Infinity }))
    .sort((a, b) => a.value - b.value)
    .map(({ point }) => point);
}

/** Returns the rank of the nearest point of a sweep. */
function rankOf(trace: SearchTrace, point: WorldPoint): number {
  const order = ranked(trace);
  const distances = order.map((other) => {
    return Object.entries(point).reduce((sum, [name, value]) => sum + Math.abs(value - (other[name] ?? 0)), 0);
  });
  return distances.indexOf(Math.min(...distances));
}

function averageOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
