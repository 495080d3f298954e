import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import { assignDimensions, orderDimensions } from './dimensions.ts';
import { valueAt } from './domain.ts';
import { MAX_SOBOL_DIMENSIONS, SobolSequence } from './sobol-sequence.ts';
import { requireDimensions } from './sampler.ts';
import type { Sampler } from './sampler.ts';

/**
 * Yields points of a scrambled Sobol sequence without end, one coordinate per dimension of the spec, also for those that do not
 * exist in every run: omitting coordinates would make the others uneven.
 */
function* sobolPoints(spec: SweepSpec, base: Parameters): Generator<Parameters> {
  const ordered = orderDimensions(spec.parameters);
  const sequence = new SobolSequence(Math.max(1, spec.parameters.length), spec.seed);
  for (;;) {
    const point = sequence.next();
    yield assignDimensions(ordered, base, ({ spec: { domain }, definition, position }) =>
      valueAt(domain, definition, point[position] ?? 0),
    );
  }
}

/** Draws that cover the space evenly. */
export const SOBOL: Sampler = {
  draws: true,
  validate(spec, report) {
    requireDimensions(spec, report);
    const { length } = spec.parameters;
    if (length > MAX_SOBOL_DIMENSIONS) {
      const most = `a Sobol sequence here has at most ${MAX_SOBOL_DIMENSIONS}`;
      report('parameters', `has ${length} dimensions, and ${most}. Use strategy: random.`);
    }
  },
  sample: sobolPoints,
};
