import { createStream } from '../../../../services/core/rng/stream.ts';
import { GpModel } from '../../../../services/core/samplers/gp/gp-model.ts';
import type { Axis, ModelDimension } from '../../../../services/core/samplers/model/axis.ts';
import type { HistoryRun } from '../../../../services/core/samplers/model/history.ts';
import { SobolSequence } from '../../../../services/core/samplers/sobol-sequence.ts';
import { TpeModel } from '../../../../services/core/samplers/tpe/tpe-model.ts';
import type { Parameters } from '../../../../services/core/sweep/sweep-spec.ts';
import type { SamplerWorld, WorldDimension, WorldPoint } from './sampler-world.ts';

/** Points of a Sobol sequence before a model suggests. */
const STARTUP_COUNT = 10;

export interface ModelSettings {
  readonly model: 'gp' | 'tpe' | 'sobol';
  /** Suggestions at once. */
  readonly batch: number;
  readonly count: number;
  readonly seed: number;
  /** Points that come before those of the Sobol sequence and count as such. */
  readonly first?: readonly WorldPoint[];
}

/** Points of a search in their order, with their observed values. */
export interface SearchTrace {
  readonly points: readonly WorldPoint[];
  readonly observed: readonly number[];
  /** Processor or waiting time of the suggestions. */
  readonly seconds: number;
}

/** Searches a world with Graft's own models, as rounds of a sweep do. */
export function searchWithModel(world: SamplerWorld, settings: ModelSettings): SearchTrace {
  const { model, batch, count, seed, first = [] } = settings;
  const dimensions = world.dimensions.map(modelDimension);
  const sobol = new SobolSequence(dimensions.length, seed);
  const points: WorldPoint[] = [];
  const observed: number[] = [];
  const known = new Set<string>();
  const isKnown = (point: Parameters): boolean => known.has(JSON.stringify(point));
  const start = performance.now();
  for (let round = 0; points.length < count; round++) {
    const isStart = round === 0 || model === 'sobol';
    const size = Math.min(count - points.length, isStart ? Math.max(STARTUP_COUNT, batch) : batch);
    const Model = model === 'gp' ? GpModel : TpeModel;
    const suggester = isStart ? null : new Model(dimensions, {}, historyOf(points, observed), { seed, round });
    for (let position = 0; position < size; position++) {
      const suggested = suggester?.suggest(position, [], isKnown)?.parameters ?? first[points.length];
      // The world's values are numbers.
      const point = (suggested ?? nextUnknown(sobol, world, isKnown)) as WorldPoint;
      suggester?.add(point);
      known.add(JSON.stringify(point));
      points.push(point);
    }
    for (const [place, point] of points.entries()) {
      if (place >= observed.length) observed.push(world.observe(point, noiseOf(seed, place)));
    }
  }
  return { points, observed, seconds: (performance.now() - start) / 1000 };
}

/** Returns the number that selects the noise of an observation, the same for all samplers of a seed. */
export function noiseOf(seed: number, place: number): number {
  return createStream(seed, 'noise', place).uniform53();
}

function historyOf(points: readonly WorldPoint[], observed: readonly number[]): HistoryRun[] {
  return points.map((parameters, index) => {
    const score = { value: -(observed[index] ?? Infinity), variance: null, rung: 0 };
    return { index, parameters, status: 'SCORED', score };
  });
}

const REPEATS = 10_000;

function nextUnknown(sobol: SobolSequence, world: SamplerWorld, isKnown: (point: Parameters) => boolean): WorldPoint {
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const point = pointAt(world, sobol.next());
    if (!isKnown(point)) return point;
  }
  throw new Error(`${world.name} has no more points.`);
}

function pointAt({ dimensions }: SamplerWorld, cube: readonly number[]): WorldPoint {
  const point: Record<string, number> = {};
  for (const [place, dimension] of dimensions.entries()) {
    const u = cube[place] ?? 0;
    if (exists(dimension, point)) point[dimension.name] = valueAt(dimension, u);
  }
  return point;
}

function valueAt(dimension: WorldDimension, u: number): number {
  if (dimension.kind === 'choice') return Math.floor(u * dimension.count);
  const { low, high } = dimension;
  if (dimension.kind === 'real') return rounded(low + u * (high - low));
  return low + dimension.step * Math.floor(u * stepsOf(dimension));
}

function modelDimension(dimension: WorldDimension): ModelDimension {
  const axis: Axis =
    dimension.kind === 'choice'
      ? { kind: 'choice', count: dimension.count }
      : dimension.kind === 'real'
        ? { kind: 'real', isLog: false, low: dimension.low, high: dimension.high }
        : { kind: 'grid', isLog: false, low: dimension.low, step: dimension.step, count: stepsOf(dimension) };
  return {
    name: dimension.name,
    axis,
    exists: (chosen) => exists(dimension, chosen),
    encode: Number,
    decode: dimension.kind === 'real' ? rounded : Number,
  };
}

function stepsOf({ low, high, step }: Extract<WorldDimension, { kind: 'steps' }>): number {
  return Math.round((high - low) / step) + 1;
}

function exists({ when }: WorldDimension, chosen: Parameters): boolean {
  return when === undefined || when.anyOf.some((value) => chosen[when.name] === value);
}

/** Returns a number as a run has it. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
