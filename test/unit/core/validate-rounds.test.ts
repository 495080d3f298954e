import { describe, expect, it } from 'vitest';
import { weightsOfSpace } from '../../../services/core/samplers/space-weights.ts';
import { withKnownWeights } from '../../../services/core/search-round/known-weights.ts';
import { SEARCH_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { BudgetSpec } from '../../../services/core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { extensionViolations } from '../../../services/core/validation/validate-extension.ts';
import { validateSweepSpec } from '../../../services/core/validation/validate-spec.ts';
import { PLAIN_SPEC, range, values, when } from './support/specs.ts';

const NO_BOUND: BudgetSpec = { slotSeconds: null, wallSeconds: null, target: null };
const ADAPTIVE: Partial<SweepSpec> = { strategy: 'gp', maxRuns: 48, parameters: [range('head.dropout', 0, 0.5)] };

function mistakes(spec: Partial<SweepSpec>): Record<string, string> {
  const found = validateSweepSpec({ ...PLAIN_SPEC, ...ADAPTIVE, ...spec });
  return Object.fromEntries(found.map(({ field, description }) => [field, description]));
}

describe('validation of rounds', () => {
  it('accepts the defaults, usual values, and a budget of time instead of a number of runs', () => {
    expect(mistakes({})).toEqual({});
    expect(mistakes({ search: SEARCH_DEFAULTS, maxRuns: 4 })).toEqual({});
    expect(
      mistakes({
        strategy: 'tpe',
        maxRuns: 1_000,
        search: { startupRuns: 64, roundRuns: 64, explore: 1, pack: false },
        budget: { ...NO_BOUND, patienceRounds: 2 },
      }),
    ).toEqual({});
    expect(mistakes({ maxRuns: null, budget: { ...NO_BOUND, wallSeconds: 60 } })).toEqual({});
  });

  it('reports every mistake at once, with what was received and how to fix it', () => {
    const found = mistakes({
      maxRuns: 201,
      search: { startupRuns: 500, roundRuns: 65, explore: 1.5, pack: true },
      budget: { ...NO_BOUND, patienceRounds: 0 },
    });
    expect(found).toEqual({
      max_runs: expect.stringMatching(/at most 200 with strategy gp.*received 201\. Use strategy: tpe\.$/) as string,
      'search.startup_runs': expect.stringMatching(/at most max_runs, 201:.*received 500/) as string,
      'search.round_runs': expect.stringContaining('from 1 to 64; received 65') as string,
      'search.explore': expect.stringContaining('received 1.5') as string,
      'budget.patience_rounds': expect.stringContaining('from 1 to 10000; received 0') as string,
    });
  });

  it('requires a number of runs, or a budget of time', () => {
    expect(mistakes({ maxRuns: null })).toEqual({
      max_runs: expect.stringContaining('or bound the time in budget') as string,
    });
    const target = { value: 0.2, confidence: 0.9 };
    expect(mistakes({ maxRuns: null, budget: { ...NO_BOUND, target } })).toHaveProperty('max_runs');
  });

  it('refuses rounds of other strategies', () => {
    const found = mistakes({
      strategy: 'sobol',
      search: SEARCH_DEFAULTS,
      budget: { ...NO_BOUND, patienceRounds: 3 },
    });
    expect(found).toEqual({
      search: expect.stringContaining('received it with strategy sobol') as string,
      'budget.patience_rounds': expect.stringContaining('received it with strategy sobol') as string,
    });
  });

  it('refuses other epochs for a sweep with rounds', () => {
    const nothing = { maxRuns: null, variants: [], epochs: null, fineTuneEpochs: null, budget: null };
    const spec = { ...PLAIN_SPEC, ...ADAPTIVE };
    expect(extensionViolations(spec, { ...nothing, maxRuns: 60 })).toEqual([]);
    expect(extensionViolations(spec, { ...nothing, epochs: 50 })).toMatchObject([{ field: 'epochs' }]);
  });
});

describe('the weights of a space', () => {
  const spec: SweepSpec = {
    ...PLAIN_SPEC,
    ...ADAPTIVE,
    base: { weights: 'random' },
    parameters: [
      range('head.dropout', 0, 0.5),
      values('backbone', 'vgg16', 'mobilenet_v2', 'xception'),
      when(values('weights', 'imagenet', 'random'), 'backbone', 'vgg16'),
    ],
  };

  it('are those of each point, each once', () => {
    expect(weightsOfSpace(spec)).toEqual([
      { backbone: 'vgg16', weights: 'imagenet' },
      { backbone: 'vgg16', weights: 'random' },
      { backbone: 'mobilenet_v2', weights: 'random' },
      { backbone: 'xception', weights: 'random' },
    ]);
    expect(weightsOfSpace({ ...PLAIN_SPEC, variants: [{}] })).toHaveLength(1);
  });

  it('leave the backbones out that no trainer has any of', () => {
    const known = withKnownWeights(spec, [
      { backbone: 'vgg16', weights: 'random' },
      { backbone: 'xception', weights: 'random' },
    ]);
    expect(known.parameters[1]?.domain).toEqual({ kind: 'values', values: ['vgg16', 'xception'] });
    expect(withKnownWeights(spec, [])).toEqual(spec);
  });
});
