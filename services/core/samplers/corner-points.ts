import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import { COST_PARAMETERS } from '../search-space/model-limits.ts';
import { basePoint } from './baseline.ts';
import { orderDimensions } from './dimensions.ts';
import { gridPoints } from './grid.ts';

/** Number of points that are compared: a second of arithmetic. */
const MAX_CORNERS = 20_000;

/**
 * Returns points of the search space among which the smallest and the largest models of it are: all combinations of the parameters that
 * the cost of a model depends on, ranges with their ends alone, because a cost rises with them. All other parameters are those of the
 * base. Empty for strategies that list their runs; null: there are too many to compare.
 */
export function cornerPoints(spec: SweepSpec): Parameters[] | null {
  if (spec.strategy === 'list') return [];
  const names = costlyNames(spec);
  const parameters = spec.parameters
    .filter(({ name }) => names.has(name))
    .map((parameter) => {
      const { domain } = parameter;
      if (domain.kind === 'values') return parameter;
      const { min, max } = domain;
      return { ...parameter, domain: { kind: 'values' as const, values: min === max ? [min] : [min, max] } };
    });
  // With variants, a grid without dimensions would be empty, although the search space has points.
  const corners = gridPoints(
    { ...spec, parameters, variants: spec.parameters.length === 0 ? spec.variants : [] },
    basePoint(spec),
  );
  const points: Parameters[] = [];
  for (const point of corners) {
    if (points.length === MAX_CORNERS) return null;
    points.push(point);
  }
  return points;
}

/** Returns the parameters that a model's cost depends on, and those whose values decide whether they exist. */
function costlyNames({ parameters }: SweepSpec): ReadonlySet<string> {
  const names = new Set<string>(COST_PARAMETERS);
  // Each dimension follows everything that it depends on.
  for (const { spec } of orderDimensions(parameters).toReversed()) {
    if (names.has(spec.name)) for (const { name } of spec.conditions) names.add(name);
  }
  return names;
}
