import { digestOf } from '../digest.ts';
import { canonicalParameters } from '../search-space/canonical.ts';
import type { Parameters, ParameterValue, SweepSpec } from '../sweep/sweep-spec.ts';
import { findDefinition, PARAMETER_DEFINITIONS } from '../search-space/parameter-definitions.ts';
import { basePoint, defaultsOutsideSpace } from './baseline.ts';
import { effectiveValue } from './dimensions.ts';
import { remainingPoints } from './remaining-points.ts';
import { SAMPLERS, strategyOf } from './samplers.ts';

export interface SampledRun {
  /** Number of the run, from 0. */
  readonly index: number;
  /** Canonical parameters: all that exist, sorted by name. */
  readonly parameters: Parameters;
  /** SHA-256 over the canonical parameters, hexadecimal. */
  readonly digest: string;
}

export interface SampledRuns {
  readonly runs: readonly SampledRun[];
  /** Number of variants, combinations and draws that repeat an earlier one and were dropped. */
  readonly duplicateCount: number;
  /** Number of runs that `maxRuns` asks for and the space does not have, for strategies that draw. 0 for others: there it is a bound. */
  readonly missingCount: number;
}

/**
 * Number of repeated draws in a row after which the remaining points are enumerated. Further draws would take ever longer, and the
 * last points of a space of n would need n draws each.
 */
const MAX_REPEATS = 64;

/** Maximum number of runs of a sweep. */
export const MAX_RUNS = 10_000;

/**
 * Returns the runs of a sweep: listed variants first, then the strategy's own points, without repetitions, up to `maxRuns`. A pure
 * function of the spec. Strategies that draw start with the defaults where no variants are listed and the space contains them
 * (`baseline.ts`). They draw until there are `maxRuns` different runs; where draws repeat, the remaining points follow in a seeded
 * order, so that a finite space is exhausted.
 *
 * Expects a spec without violations.
 *
 * @throws InvalidRequestError for unknown names and wrong values.
 */
export function sampleRuns(spec: SweepSpec): SampledRuns {
  const limit = Math.min(spec.maxRuns ?? MAX_RUNS, MAX_RUNS);
  const sampled = new RunCollector(limit);
  const base = basePoint(spec);
  for (const variant of spec.variants) sampled.add({ ...base, ...variant });
  const { draws, sample } = SAMPLERS[strategyOf(spec)];
  if (draws) {
    if (spec.variants.length === 0 && defaultsOutsideSpace(spec).size === 0) sampled.add(base);
    drawPoints(spec, base, sample(spec, base), sampled);
  } else {
    addAll(sample(spec, base), sampled);
  }
  const { runs, duplicateCount } = sampled;
  return { runs, duplicateCount, missingCount: draws ? limit - runs.length : 0 };
}

function drawPoints(spec: SweepSpec, base: Parameters, points: Iterable<Parameters>, sampled: RunCollector): void {
  let repeats = 0;
  for (const point of points) {
    if (sampled.isFull || repeats >= MAX_REPEATS + spec.variants.length) break;
    repeats = sampled.add(point) ? 0 : repeats + 1;
  }
  const { duplicateCount } = sampled;
  addAll(remainingPoints(spec, base), sampled);
  // Points that the enumeration repeats were not drawn twice.
  sampled.duplicateCount = duplicateCount;
}

function addAll(points: Iterable<Parameters>, sampled: RunCollector): void {
  for (const point of points) {
    if (sampled.isFull) return;
    sampled.add(point);
  }
}

/** Collects and numbers the runs that differ from all before. */
class RunCollector {
  readonly runs: SampledRun[] = [];
  duplicateCount = 0;
  readonly #limit: number;
  readonly #digests = new Set<string>();
  /** Points as sampled: a repeated one need not be made canonical, which is most of the work. */
  readonly #points = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.runs.length >= this.#limit;
  }

  /** Adds a point as the next run, up to the limit; returns false where it repeats an earlier one. */
  add(point: Parameters): boolean {
    if (this.isFull) return false;
    const key = JSON.stringify(point);
    if (!this.#points.has(key)) {
      this.#points.add(key);
      const parameters = canonicalParameters(point);
      const digest = digestOf(parameters);
      if (!this.#digests.has(digest)) {
        this.#digests.add(digest);
        this.runs.push({ index: this.runs.length, parameters, digest });
        return true;
      }
    }
    this.duplicateCount++;
    return false;
  }
}

/**
 * Returns the names of the parameters that differ between the runs, sorted. A parameter that only some runs have, all with the same
 * value, is not one of them: it follows from its parent.
 */
export function variedNames(runs: readonly { readonly parameters: Parameters }[]): string[] {
  const values = new Map<string, Set<ParameterValue>>();
  for (const { parameters } of runs) {
    for (const [name, value] of Object.entries(parameters)) {
      const known = values.get(name);
      if (known === undefined) values.set(name, new Set([value]));
      else known.add(value);
    }
  }
  for (const [name, known] of values) {
    if (findDefinition(name)?.isOmittedAtDefault !== true) continue;
    for (const { parameters } of runs) {
      const value = effectiveValue(parameters, name);
      if (value !== undefined) known.add(value);
    }
  }
  return [...values]
    .filter(([, known]) => known.size > 1)
    .map(([name]) => name)
    .sort();
}

/** Returns a run's parameters for people: with those that the sweep varies and this run omits at their default. */
export function withVaried(parameters: Parameters, varied: readonly string[]): Parameters {
  return { ...parameters, ...omittedAmong(parameters, varied) };
}

/** Returns the parameters that a run omits at their default: those of its canonical form are complete with them. */
export function omittedDefaults(parameters: Parameters): Parameters {
  return omittedAmong(parameters, OMITTED_AT_DEFAULT);
}

const OMITTED_AT_DEFAULT = PARAMETER_DEFINITIONS.filter((definition) => definition.isOmittedAtDefault === true).map(
  ({ name }) => name,
);

function omittedAmong(parameters: Parameters, names: readonly string[]): Parameters {
  const omitted = names.flatMap((name) => {
    if (Object.hasOwn(parameters, name) || findDefinition(name)?.isOmittedAtDefault !== true) return [];
    const value = effectiveValue(parameters, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(omitted);
}
