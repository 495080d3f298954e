import { createStream } from '../rng/stream.ts';
import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import { assignDimensions, orderDimensions } from './dimensions.ts';
import { valueAt } from './domain.ts';
import { requireDimensions } from './sampler.ts';
import type { Sampler } from './sampler.ts';

/**
 * Yields independent draws without end. Each value has its own key (sweep's seed, number of the draw, parameter), so that another
 * dimension in the spec does not change the values of the others.
 */
function* randomPoints(spec: SweepSpec, base: Parameters): Generator<Parameters> {
  const ordered = orderDimensions(spec.parameters);
  for (let draw = 0; ; draw++) {
    yield assignDimensions(ordered, base, ({ spec: { name, domain }, definition }) =>
      valueAt(domain, definition, createStream(spec.seed, 'sample', draw, name).uniform53()),
    );
  }
}

/** Independent draws. */
export const RANDOM: Sampler = { draws: true, validate: requireDimensions, sample: randomPoints };
