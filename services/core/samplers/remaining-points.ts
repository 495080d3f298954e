import { createStream } from '../rng/stream.ts';
import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import type { Dimension } from './dimensions.ts';
import { dimensionExists, orderDimensions } from './dimensions.ts';
import { listValues } from './domain.ts';
import type { ValueList } from './domain.ts';

/** A dimension that exists beside the values above it, with its values that lead to points not yielded yet. */
interface Branch {
  readonly depth: number;
  readonly dimension: Dimension;
  readonly values: ValueList;
  /** Number of remaining values; draws are from places 0 to `left` - 1. */
  left: number;
  /** Value at a place where it is not the place itself: the last value moves to the place of an exhausted one. */
  readonly moved: Map<number, number>;
  readonly children: Map<number, Branch>;
}

/**
 * Yields every point of the space once, in an order drawn from the sweep's seed. A draw costs one step per dimension for any size of
 * the space, and only entered branches are kept: an exhausted value is exchanged with the last remaining one (a lazy Fisher–Yates
 * shuffle at each branch).
 */
export function* remainingPoints(spec: SweepSpec, base: Parameters): Generator<Parameters> {
  const ordered = orderDimensions(spec.parameters);
  const root = branchAt(ordered, 0, base);
  if (root === null) {
    yield base;
    return;
  }
  for (let draw = 0; root.left > 0; draw++) {
    const stream = createStream(spec.seed, 'remaining', draw);
    yield takePoint(ordered, root, base, () => stream.uniform53());
  }
}

/** Returns the first dimension from `depth` on that exists; null where all values are chosen. */
function branchAt(ordered: readonly Dimension[], depth: number, chosen: Parameters): Branch | null {
  const found = ordered.findIndex((dimension, index) => index >= depth && dimensionExists(dimension, chosen));
  const dimension = ordered[found];
  if (dimension === undefined) return null;
  const values = listValues(dimension.spec.domain, dimension.definition);
  return { depth: found, dimension, values, left: values.count, moved: new Map(), children: new Map() };
}

function takePoint(
  ordered: readonly Dimension[],
  branch: Branch,
  chosen: Parameters,
  uniform: () => number,
): Parameters {
  const place = Math.min(branch.left - 1, Math.floor(uniform() * branch.left));
  const value = branch.moved.get(place) ?? place;
  const next = { ...chosen, [branch.dimension.spec.name]: branch.values.at(value) };
  const child = branch.children.get(value) ?? branchAt(ordered, branch.depth + 1, next);
  const point = child === null ? next : takePoint(ordered, child, next, uniform);
  if (child !== null && child.left > 0) {
    branch.children.set(value, child);
  } else {
    branch.children.delete(value);
    useUp(branch, place);
  }
  return point;
}

function useUp(branch: Branch, place: number): void {
  branch.left--;
  const last = branch.moved.get(branch.left) ?? branch.left;
  branch.moved.delete(branch.left);
  if (place !== branch.left) branch.moved.set(place, last);
}
