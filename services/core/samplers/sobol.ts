import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import { assignDimensions, orderDimensions } from './dimensions.ts';
import { valueAt } from './domain.ts';
import { SobolSequence } from './sobol-sequence.ts';

/**
 * Points of a scrambled Sobol sequence without end, one coordinate per dimension of the spec, also for those that do not
 * exist in every run: leaving coordinates out would spoil the evenness of the others.
 */
export function* sobolPoints(spec: SweepSpec, base: Parameters): Generator<Parameters> {
  const ordered = orderDimensions(spec.parameters);
  const sequence = new SobolSequence(Math.max(1, spec.parameters.length), spec.seed);
  for (;;) {
    const point = sequence.next();
    yield assignDimensions(ordered, base, ({ spec: { domain }, definition, position }) =>
      valueAt(domain, definition, point[position] ?? 0),
    );
  }
}
