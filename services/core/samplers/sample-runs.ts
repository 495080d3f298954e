import { digestOf } from '../digest.ts';
import { canonicalParameters } from '../search-space/canonical.ts';
import { overLimit } from '../search-space/model-limits.ts';
import type { Parameters, ParameterValue, SweepSpec } from '../sweep/sweep-spec.ts';
import { findDefinition, PARAMETER_DEFINITIONS } from '../search-space/parameter-definitions.ts';
import { basePoint, defaultsOutsideSpace } from './baseline.ts';
import { effectiveValue } from './dimensions.ts';
import { remainingPoints } from './remaining-points.ts';
import { isAdaptive, SAMPLERS, strategyOf } from './samplers.ts';
import { firstRoundSize } from '../stopping/rounds-policy.ts';

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
/** Number of points in a row over the constraints after which drawing ends: what is left of the space is then too small to be found. */
const MAX_REJECTED = 100_000;

/** Maximum number of runs of a sweep. */
export const MAX_RUNS = 10_000;

/**
 * Returns the runs of a sweep: listed variants first, then the strategy's own points, without repetitions, up to `maxRuns`. A pure
 * function of the spec. Strategies that draw start with the defaults where no variants are listed and the space contains them
 * (`baseline.ts`). They draw until there are `maxRuns` different runs; where draws repeat, the remaining points follow in a seeded
 * order, so that a finite space is exhausted. They draw no point whose model is over a constraint of the sweep, with any number of
 * classes; listed variants and the points of other strategies stay, and become INFEASIBLE when the sweep is planned.
 *
 * Expects a spec without violations.
 *
 * @param startsWithDefaults of strategies that draw; given for a sweep whose variants were added later
 * @throws InvalidRequestError for unknown names and wrong values.
 */
export function sampleRuns(spec: SweepSpec, startsWithDefaults = spec.variants.length === 0): SampledRuns {
  const limit = Math.min((isAdaptive(spec) ? firstRoundSize(spec) : spec.maxRuns) ?? MAX_RUNS, MAX_RUNS);
  const sampled = new RunCollector(limit);
  const overLimitOf = overLimit(spec.constraints, null);
  const base = basePoint(spec);
  for (const variant of spec.variants) sampled.add({ ...base, ...variant });
  const { draws, sample } = SAMPLERS[strategyOf(spec)];
  if (draws) {
    const isAllowed = (point: Parameters): boolean => overLimitOf(point) === null;
    if (startsWithDefaults && defaultsOutsideSpace(spec).size === 0 && isAllowed(base)) sampled.add(base);
    drawPoints(spec, base, allowed(sample(spec, base), isAllowed), { sampled, isAllowed });
  } else {
    addAll(sample(spec, base), sampled);
  }
  const { runs, duplicateCount } = sampled;
  return { runs, duplicateCount, missingCount: draws ? limit - runs.length : 0 };
}

/** Yields the points that may be drawn, until too many in a row may not. */
function* allowed(points: Iterable<Parameters>, isAllowed: (point: Parameters) => boolean): Generator<Parameters> {
  let rejected = 0;
  for (const point of points) {
    if (isAllowed(point)) {
      rejected = 0;
      yield point;
    } else if (++rejected >= MAX_REJECTED) return;
  }
}

function drawPoints(
  spec: SweepSpec,
  base: Parameters,
  points: Iterable<Parameters>,
  { sampled, isAllowed }: { readonly sampled: RunCollector; readonly isAllowed: (point: Parameters) => boolean },
): void {
  let repeats = 0;
  for (const point of points) {
    if (sampled.isFull || repeats >= MAX_REPEATS + spec.variants.length) break;
    repeats = sampled.add(point) ? 0 : repeats + 1;
  }
  const { duplicateCount } = sampled;
  // Enumeration begins by listing the values of each dimension.
  if (!sampled.isFull) addAll(allowed(remainingPoints(spec, base), isAllowed), sampled);
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
