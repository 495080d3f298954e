import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SamplerWorld, WorldDimension, WorldPoint } from './sampler-world.ts';

const FOLDER = new URL('../../../../../shared/data/search/', import.meta.url).pathname;

/** Feed-forward networks, log10 of the validation loss: 62,208 points of nine dimensions, four seeds (HPOLib). */
export const HPOLIB = ['naval_propulsion', 'parkinsons_telemonitoring', 'protein_structure', 'slice_localization'].map(
  (name) => `hpolib-${name}`,
);
/** Perceptrons, minus the validation accuracy: 30,000 points of five dimensions, five seeds; noise hides the best ones (HPOBench). */
export const HPOBENCH = ['australian', 'blood_transfusion', 'car', 'credit_g', 'segment', 'vehicle'].map(
  (name) => `hpobench-${name}`,
);

/** A world with a few measurements of each point. The truth is their mean. */
export interface TableWorld extends SamplerWorld {
  readonly seedCount: number;
  /** Returns the mean seconds of training. */
  readonly secondsOf: (point: WorldPoint) => number;
  /** Number of points, and the point of a number. */
  readonly pointCount: number;
  readonly pointAt: (number: number) => WorldPoint;
  /** Returns one measurement of a point. */
  readonly measure: (point: WorldPoint, seed: number) => number;
}

/** Reads a recorded table; a reason where this machine has none. */
function readTable(
  name: string,
  folder = process.env['GRAFT_SEARCH_DATA'] ?? FOLDER,
): TableWorld | { readonly reason: string } {
  const index = join(folder, `${name}.json`);
  if (!existsSync(index)) return { reason: `${name} is not in ${folder}; GRAFT_SEARCH_DATA names another folder.` };
  const { dims, kinds, seeds } = JSON.parse(readFileSync(index, 'utf8')) as {
    readonly dims: readonly number[];
    /** "o" ordinal or "c" categorical, by dimension. */
    readonly kinds: string;
    readonly seeds: number;
  };
  const bytes = readFileSync(join(folder, `${name}.f32`));
  const values = numbersOf(bytes);
  const seconds = numbersOf(readFileSync(join(folder, `${name}.time.f32`)));
  const means = Float64Array.from({ length: values.length / seeds }, (_, point) => {
    return values.subarray(point * seeds, (point + 1) * seeds).reduce((sum, value) => sum + value, 0) / seeds;
  });
  const optimum = means.reduce((least, value) => Math.min(least, value), Infinity);
  const dimensions = dims.map((count, place): WorldDimension => {
    const dimension = `d${place}`;
    return kinds[place] === 'c'
      ? { name: dimension, kind: 'choice', count }
      : { name: dimension, kind: 'steps', low: 0, high: count - 1, step: 1 };
  });
  // The first dimension is the most significant digit.
  const numberOf = (point: WorldPoint): number =>
    dims.reduce((number, count, place) => number * count + (point[`d${place}`] ?? 0), 0);
  const measure = (point: WorldPoint, seed: number): number => values[numberOf(point) * seeds + seed] ?? Infinity;
  return {
    name,
    dimensions,
    seedCount: seeds,
    secondsOf: (point) => seconds[numberOf(point)] ?? Infinity,
    pointCount: means.length,
    pointAt: (number) => {
      let rest = number;
      const places = dims.toReversed().map((count) => {
        const place = rest % count;
        rest = Math.floor(rest / count);
        return place;
      });
      return Object.fromEntries(places.toReversed().map((place, dimension) => [`d${dimension}`, place]));
    },
    measure,
    observe: (point, u) => measure(point, Math.floor(u * seeds)),
    truth: (point) => means[numberOf(point)] ?? Infinity,
    optimum,
    unit: means.reduce((sum, value) => sum + value, 0) / means.length - optimum,
  };
}

function numbersOf(bytes: Buffer): Float64Array {
  return Float64Array.from({ length: bytes.length / 4 }, (_, place) => bytes.readFloatLE(4 * place));
}

/** Reads some tables; the first reason where one is missing. */
export function readTables(names: readonly string[]): readonly TableWorld[] | { readonly reason: string } {
  const tables: TableWorld[] = [];
  for (const name of names) {
    const table = readTable(name);
    if ('reason' in table) return table;
    tables.push(table);
  }
  return tables;
}
