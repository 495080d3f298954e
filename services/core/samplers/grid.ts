import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import type { Dimension } from './dimensions.ts';
import { dimensionExists, orderDimensions } from './dimensions.ts';
import { gridList } from './domain.ts';
import type { Sampler } from './sampler.ts';

/**
 * Yields every combination, the last dimension changing fastest. A dimension that does not exist beside the values before it is
 * skipped, so that it repeats no combination. A grid without dimensions is the base alone, or nothing where variants are listed.
 */
export function* gridPoints(spec: SweepSpec, base: Parameters): Generator<Parameters> {
  if (spec.parameters.length === 0 && spec.variants.length > 0) return;
  yield* combinations(orderDimensions(spec.parameters), 0, base);
}

function* combinations(ordered: readonly Dimension[], depth: number, chosen: Parameters): Generator<Parameters> {
  const dimension = ordered[depth];
  if (dimension === undefined) {
    yield chosen;
    return;
  }
  if (!dimensionExists(dimension, chosen)) {
    yield* combinations(ordered, depth + 1, chosen);
    return;
  }
  const { count, at } = gridList(dimension.spec.domain, dimension.definition);
  for (let place = 0; place < count; place++) {
    yield* combinations(ordered, depth + 1, { ...chosen, [dimension.spec.name]: at(place) });
  }
}

/** Every combination of the dimensions' values. */
export const GRID: Sampler = { draws: false, validate: () => undefined, sample: gridPoints };
