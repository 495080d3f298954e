import { describe, expect, it } from 'vitest';
import { repeatParameters } from '../../../services/core/samplers/repeat-parameters.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { validateSweepSpec } from '../../../services/core/validation/validate-spec.ts';
import { PLAIN_SPEC, values } from './support/specs.ts';

function mistakes(spec: Partial<SweepSpec>): Record<string, string> {
  const found = validateSweepSpec({ ...PLAIN_SPEC, ...spec });
  return Object.fromEntries(found.map(({ field, description }) => [field, description]));
}

describe('validation of finalists and the rule of the winner', () => {
  it('accepts usual values, and one seed, which repeats nothing, with varied seeds', () => {
    expect(mistakes({ finalists: { runs: 3, seeds: 3 }, winnerRule: 'one_standard_error' })).toEqual({});
    expect(mistakes({ finalists: { runs: 1, seeds: 1 }, parameters: [values('seed', 1, 2)] })).toEqual({});
  });

  it('reports every mistake at once', () => {
    expect(mistakes({ finalists: { runs: 0, seeds: 0 }, winnerRule: 'worst' as 'best' })).toEqual({
      winner_rule: "must be one of best, one_standard_error; received 'worst'.",
      'finalists.runs': 'must be an integer from 1 to 20; received 0. Leave finalists out to repeat no run.',
      'finalists.seeds': 'must be an integer from 1 to 20; received 0. 1 repeats no run.',
    });
    expect(Object.keys(mistakes({ finalists: { runs: 2.5, seeds: 21 } }))).toEqual([
      'finalists.runs',
      'finalists.seeds',
    ]);
  });

  it('refuses further seeds where a seed varies already, and beyond the largest one', () => {
    const finalists = { runs: 3, seeds: 3 };
    expect(mistakes({ finalists, parameters: [values('data_seed', 1, 2)] })).toEqual({
      'finalists.seeds':
        'repeats runs with the next seeds, but data_seed varies in parameters: another seed is another run then; received 3. ' +
        'Leave data_seed out of what varies, or set finalists.seeds: 1.',
    });
    expect(mistakes({ finalists, variants: [{}, { seed: 7 }] })['finalists.seeds']).toContain('varies in variants[1]');
    expect(mistakes({ finalists, base: { seed: Number.MAX_SAFE_INTEGER } })['finalists.seeds']).toMatch(
      /^goes beyond the largest seed/,
    );
  });
});

it('moves every seed of a run on, and nothing else', () => {
  const parameters = { seed: 1, data_seed: 7, 'augmentation.seed': 1, epochs: 3, backbone: 'vgg16' };
  expect(repeatParameters(parameters, 2)).toEqual({
    seed: 3,
    data_seed: 9,
    'augmentation.seed': 3,
    epochs: 3,
    backbone: 'vgg16',
  });
});
