import { PARAMETER_NAMES, SEED_PARAMETERS } from '../search-space/parameter-definitions.ts';
import type { Parameters, ParameterValue, SweepSpec } from '../sweep/sweep-spec.ts';
import { dimensionExists, effectiveValue, orderDimensions } from './dimensions.ts';
import { domainHas } from './domain.ts';
import { drawsRuns } from './samplers.ts';

/** Returns the parameters that all runs start from: the sweep's seeds and its base. Everything else is a default. */
export function basePoint(spec: SweepSpec): Parameters {
  return { ...Object.fromEntries(SEED_PARAMETERS.map((name) => [name, spec.seed])), ...spec.base };
}

/**
 * Returns the parameters that vary and can't have their value without the search (base, else default), with that value
 * (undefined: absent).
 */
export function defaultsOutsideSpace(spec: SweepSpec): ReadonlyMap<string, ParameterValue | undefined> {
  const base = basePoint(spec);
  const outside = new Map<string, ParameterValue | undefined>();
  for (const dimension of orderDimensions(spec.parameters)) {
    const { name, domain } = dimension.spec;
    if (!dimensionExists(dimension, base)) continue;
    const value = effectiveValue(base, name);
    if (value === undefined || !domainHas(domain, dimension.definition, value)) outside.set(name, value);
  }
  return outside;
}

/**
 * Returns whether run 0 is the baseline of a submitted sweep. That does not change when the sweep is extended.
 *
 * @param firstRun canonical parameters of run 0.
 */
export function hasBaseline(
  { spec, hasBaseline: known }: { readonly spec: SweepSpec; readonly hasBaseline: boolean | null },
  firstRun: Parameters,
): boolean {
  return known ?? firstRunIsBaseline(spec, firstRun);
}

/**
 * Returns whether the first run is the baseline that the others are compared with: the first listed variant, the first combination
 * of a grid, or the defaults. The first draw of a random or Sobol search is not: it is a result of the search like any other.
 *
 * @param firstRun canonical parameters of run 0.
 */
export function firstRunIsBaseline(spec: SweepSpec, firstRun: Parameters): boolean {
  if (!drawsRuns(spec) || spec.variants.length > 0) return true;
  const base = basePoint(spec);
  return PARAMETER_NAMES.every((name) => effectiveValue(base, name) === effectiveValue(firstRun, name));
}
