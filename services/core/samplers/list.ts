import type { Sampler } from './sampler.ts';

/** The listed variants and nothing else. */
export const LIST: Sampler = {
  draws: false,
  validate({ variants, parameters }, report) {
    if (variants.length === 0) report('variants', 'is empty: strategy list runs the listed variants and nothing else.');
    if (parameters.length > 0) {
      report(
        'parameters',
        'has dimensions, but strategy list does not vary any. Take them out, or use strategy: grid.',
      );
    }
  },
  sample: () => [],
};
