import { digestOf } from '../digest.ts';
import { canonicalParameters } from '../search-space/canonical.ts';
import { SEED_PARAMETERS } from '../search-space/parameter-definitions.ts';
import type { Parameters, ParameterValue, SweepSpec } from '../sweep/sweep-spec.ts';
import { gridPoints } from './grid.ts';
import { randomPoints } from './random.ts';
import { sobolPoints } from './sobol.ts';

export interface SampledRun {
  /** From 0; 0 is the baseline. */
  readonly index: number;
  /** Canonical: all that exist, sorted by name. */
  readonly parameters: Parameters;
  /** SHA-256 over the canonical parameters, hexadecimal. */
  readonly digest: string;
}

export interface SampledRuns {
  readonly runs: readonly SampledRun[];
  /** Variants and draws that were the same as an earlier one and were left out. */
  readonly duplicateCount: number;
}

/** After so many draws in a row that gave nothing new, a random or Sobol search counts as exhausted. */
const MAX_REPEATS = 64;

/** Most runs a sweep can have. */
export const MAX_RUNS = 10_000;

/**
 * The runs of a sweep: listed variants first, then the strategy's own points, without repetitions, up to `maxRuns`. A pure
 * function of the spec. Random and Sobol go on drawing until `maxRuns` different runs are there or the space is exhausted.
 *
 * Expects a spec without violations; throws `InvalidRequestError` for unknown names and wrong values.
 */
export function sampleRuns(spec: SweepSpec): SampledRuns {
  const limit = Math.min(spec.maxRuns ?? MAX_RUNS, MAX_RUNS);
  const runs: SampledRun[] = [];
  const seen = new Set<string>();
  let duplicateCount = 0;
  let repeats = 0;
  for (const point of candidatePoints(spec)) {
    if (runs.length >= limit || repeats >= MAX_REPEATS + spec.variants.length) break;
    const parameters = canonicalParameters(point);
    const digest = digestOf(parameters);
    if (seen.has(digest)) {
      duplicateCount++;
      // A grid and a list end by themselves.
      if (spec.strategy === 'random' || spec.strategy === 'sobol') repeats++;
      continue;
    }
    repeats = 0;
    seen.add(digest);
    runs.push({ index: runs.length, parameters, digest });
  }
  return { runs, duplicateCount };
}

/**
 * Names of the parameters that differ between the runs, sorted. A parameter that only some runs have, all of them with the
 * same value, is not one of them: its parent says it already.
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
  return [...values]
    .filter(([, known]) => known.size > 1)
    .map(([name]) => name)
    .sort();
}

function* candidatePoints(spec: SweepSpec): Generator<Parameters> {
  const seeds = Object.fromEntries(SEED_PARAMETERS.map((name) => [name, spec.seed]));
  const base = { ...seeds, ...spec.base };
  for (const variant of spec.variants) yield { ...base, ...variant };
  switch (spec.strategy) {
    case 'grid':
      yield* gridPoints(spec, base);
      break;
    case 'random':
      yield* randomPoints(spec, base);
      break;
    case 'sobol':
      yield* sobolPoints(spec, base);
      break;
    case 'list':
      break;
  }
}
