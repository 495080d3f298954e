import { createStream } from '../../../../services/core/rng/stream.ts';
import { fitKernel } from '../../../../services/core/samplers/gp/fit-kernel.ts';
import type { TrainingSet } from '../../../../services/core/samplers/gp/fit-kernel.ts';
import { logImprovement, Posterior } from '../../../../services/core/samplers/gp/posterior.ts';
import { SharedPredictions } from '../../../../services/core/samplers/gp/shared-predictions.ts';
import { seedsOf, withInterval } from '../bench-result.ts';
import type { BenchResult, BenchSettings } from '../bench-result.ts';
import { meanOf } from '../paired-interval.ts';
import { shown } from './compare-samplers.ts';
import { noiseOf } from './model-search.ts';
import type { WorldPoint } from './sampler-world.ts';
import { HPOBENCH, HPOLIB, readTables } from './tables.ts';
import type { TableWorld } from './tables.ts';

const STARTUP_COUNT = 10;
/** Points of the table that are rated for each suggestion. */
const RATED = 1000;
/** Budget in runs of mean cost. */
const BUDGET = 32;
/** Runs after which a search of cheap ones ends, as max_runs would. */
const MAX_RUNS = 64;
/** Parts of the budget at which regrets are compared. */
const PARTS = [0.25, 0.5, 1];
const EXPONENTS = [0, 0.5, 1];
/** The differences are smaller than twenty seeds can show. */
const MOST_SEEDS = 100;

/**
 * The gain of an acquisition that divides by cost, cooled by the part of the budget that is left (CArBO), at equal cost: each table's own
 * seconds, known without error, which is the best case. A reason where the tables are missing.
 */
export async function costExponent({
  seeds,
  say,
}: BenchSettings): Promise<BenchResult[] | { readonly reason: string }> {
  const chosen = seedsOf(Math.min(seeds, MOST_SEEDS));
  const results: BenchResult[] = [];
  for (const [family, names] of Object.entries({ HPOLib: HPOLIB, HPOBench: HPOBENCH })) {
    const worlds = readTables(names);
    if ('reason' in worlds) return worlds;
    const regrets = EXPONENTS.map((exponent) => {
      say(`cost-exponent: ${family}, ${exponent}`);
      return chosen.map((seed) => averages(worlds.map((world) => searchByCost(world, exponent, seed))));
    });
    const at = (exponent: number, part: number): number[] =>
      (regrets[exponent] ?? []).map((own) => own[part] ?? Number.NaN);
    results.push({
      title: `Cost exponent: ${worlds.length} ${family} tables, gp one by one, a budget of ${BUDGET} mean runs, ${chosen.length} seeds`,
      columns: [
        { title: 'exponent' },
        ...PARTS.map((part) => ({ title: `regret at ${part * BUDGET}`, align: 'right' as const })),
        ...PARTS.map((part) => ({ title: `against 0 at ${part * BUDGET}`, align: 'right' as const })),
      ],
      rows: EXPONENTS.map((exponent, row) => [
        String(exponent),
        ...PARTS.map((_, part) => shown(meanOf(at(row, part)).mean)),
        ...PARTS.map((_, part) => {
          const base = at(0, part);
          return row === 0
            ? ''
            : withInterval(meanOf(at(row, part).map((regret, seed) => regret - (base[seed] ?? Number.NaN))), shown);
        }),
      ]),
      targets: [],
      notes: [],
    });
  }
  return Promise.resolve(results);
}

function averages(rows: readonly (readonly number[])[]): number[] {
  return PARTS.map((_, part) => rows.reduce((sum, row) => sum + (row[part] ?? Number.NaN), 0) / rows.length);
}

/** Returns the regret when each part of the budget is spent; what is under way then does not count. */
function searchByCost(world: TableWorld, exponent: number, seed: number): number[] {
  const stream = createStream(seed, 'cost', world.name);
  const draw = (): WorldPoint => world.pointAt(stream.int(world.pointCount));
  const sample = Array.from({ length: RATED }, () => world.secondsOf(draw()));
  const budget = (BUDGET * sample.reduce((sum, seconds) => sum + seconds, 0)) / RATED;
  const points: WorldPoint[] = [];
  const observed: number[] = [];
  const regrets: number[] = [];
  let [spent, best, truth] = [0, Infinity, Infinity];
  while (regrets.length < PARTS.length) {
    if (points.length >= MAX_RUNS) spent = budget * 2;
    const left = exponent * Math.max(0, 1 - spent / budget);
    const point = points.length < STARTUP_COUNT ? draw() : suggest(world, points, observed, left, draw);
    spent += world.secondsOf(point);
    while (regrets.length < PARTS.length && spent > budget * (PARTS[regrets.length] ?? 1)) {
      regrets.push((Math.min(truth, world.optimum + world.unit) - world.optimum) / world.unit);
    }
    const value = world.observe(point, noiseOf(seed, points.length));
    points.push(point);
    observed.push(value);
    if (value < best) [best, truth] = [value, world.truth(point)];
  }
  return regrets;
}

function suggest(
  world: TableWorld,
  points: readonly WorldPoint[],
  observed: readonly number[],
  exponent: number,
  draw: () => WorldPoint,
): WorldPoint {
  const data = trainingSet(world, points, observed);
  const posterior = new Posterior(data, fitKernel(data));
  const over = Math.max(...data.points.map((point) => posterior.predict(point).mean));
  const known = new Set(points.map((point) => JSON.stringify(point)));
  const candidates = Array.from({ length: RATED }, draw).filter((point) => !known.has(JSON.stringify(point)));
  const predictions = new SharedPredictions(
    posterior,
    candidates.map((point) => coordinatesOf(world, point)),
  ).predict();
  let [chosen, best] = [draw(), -Infinity];
  for (const [place, prediction] of predictions.entries()) {
    const candidate = candidates[place] ?? chosen;
    const value = logImprovement(prediction, over) - exponent * Math.log(world.secondsOf(candidate));
    if (value > best) [chosen, best] = [candidate, value];
  }
  return chosen;
}

function trainingSet(world: TableWorld, points: readonly WorldPoint[], observed: readonly number[]): TrainingSet {
  const mean = observed.reduce((sum, value) => sum + value, 0) / observed.length;
  const deviation = Math.sqrt(observed.reduce((sum, value) => sum + (value - mean) ** 2, 0) / observed.length);
  return {
    points: points.map((point) => coordinatesOf(world, point)),
    isChoice: world.dimensions.map(({ kind }) => kind === 'choice'),
    scores: Float64Array.from(observed, (value) => -(value - mean) / (deviation > 0 ? deviation : 1)),
    variances: new Float64Array(points.length),
  };
}

function coordinatesOf({ dimensions }: TableWorld, point: WorldPoint): Float64Array {
  return Float64Array.from(dimensions, (dimension) => {
    const place = point[dimension.name] ?? 0;
    return dimension.kind === 'steps' ? (place + 0.5) / (dimension.high + 1) : place;
  });
}
