import { describe, expect, test } from 'vitest';
import { planSweep } from '../../../services/core/planner/plan-sweep.ts';
import { orderDimensions } from '../../../services/core/samplers/dimensions.ts';
import { expectedRuns } from '../../../services/core/search-round/expected-runs.ts';
import { groupNumbers, splitsGroups } from '../../../services/core/search-round/round-groups.ts';
import { UntriedPoints } from '../../../services/core/search-round/untried-points.ts';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import type { ParameterDefinition } from '../../../services/core/search-space/define-parameter.ts';
import { findDefinition, PARAMETER_DEFINITIONS } from '../../../services/core/search-space/parameter-definitions.ts';
import { SOBOL } from '../../../services/core/samplers/sobol.ts';
import { basePoint } from '../../../services/core/samplers/baseline.ts';
import type { Parameters, ParameterValue, SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { clusterOf, SMALL_DATASET } from './support/plan-inputs.ts';
import { PLAIN_SPEC, range, values, when } from './support/specs.ts';

const BASE: Parameters = { backbone: 'vgg16', epochs: 3 };
/** Values of free strings. */
const STRINGS: Readonly<Record<string, string>> = {
  weights: 'random',
  cut: 'block4_pool',
  'fine_tune.unfreeze': 'all',
};

/** Returns a value other than the default. */
function otherValue(definition: ParameterDefinition): ParameterValue {
  switch (definition.type) {
    case 'bool':
      return !definition.default;
    case 'string':
      return (
        definition.choices?.find((choice) => choice !== definition.default && choice !== 'vgg16') ??
        STRINGS[definition.name] ??
        ''
      );
    case 'int':
      return (definition.default ?? definition.min) === definition.max
        ? definition.min
        : (definition.default ?? definition.min) + 2;
    case 'number': {
      const own = definition.default ?? definition.min;
      const high = Math.min(definition.max, own + 1);
      return high > own ? own + (high - own) / 4 : (definition.min + own) / 2;
    }
  }
}

/** Returns the base with values of the parents beside which a parameter exists. */
function withParents({ parent }: ParameterDefinition): Parameters {
  if (parent === null) return BASE;
  const above = findDefinition(parent.name);
  const value = 'anyOf' in parent ? parent.anyOf[0] : parent.above + 1;
  return { ...(above === null ? BASE : withParents(above)), [parent.name]: value ?? true };
}

function headTaskCount(runs: readonly Parameters[]): number {
  const plan = planSweep({
    sweepId: 's1',
    objective: { metric: 'val_loss', goal: 'minimize' },
    runs: runs.map((run, index) => ({ runId: `r${index}`, index, config: compileRunConfig(run) })),
    dataset: SMALL_DATASET,
    weights: ['vgg16', 'efficientnet_lite0'].flatMap((backbone) => [
      { backbone, weights: 'imagenet', digest: `${backbone} imagenet` },
      { backbone, weights: 'random', digest: `${backbone} random` },
    ]),
    cluster: clusterOf(1),
  });
  return plan.tasks.filter(({ stage }) => stage === 'HEAD').length;
}

describe('the parameters that split groups', () => {
  test.each(PARAMETER_DEFINITIONS.map((definition) => [definition.name, definition] as const))(
    'are those of the planner: %s',
    (name, definition) => {
      const base = withParents(definition);
      const other = name === 'backbone' ? 'efficientnet_lite0' : otherValue(definition);
      const runs = [base, { ...base, [name]: other }];
      // A longer time or another seed splits no group, but makes two different heads.
      const splits =
        headTaskCount(runs.map((run, seed) => ({ ...run, seed: name === 'seed' ? (run['seed'] ?? 0) : seed }))) > 1;
      if (splits) expect(splitsGroups(name)).toBe(true);
      else expect(splitsGroups(name) && !name.startsWith('augmentation.')).toBe(false);
    },
  );

  test('number the groups of a round as the planner forms them', () => {
    const spec: SweepSpec = {
      ...PLAIN_SPEC,
      strategy: 'gp',
      maxRuns: 16,
      base: BASE,
      search: { startupRuns: 16, roundRuns: null, explore: null, pack: true },
      parameters: [
        values('batch_size', 16, 32, 64),
        values('head.pooling', 'avg', 'flatten'),
        range('head.dropout', 0, 0.8),
        values('head.units', 64, 128),
      ],
    };
    const runs = expectedRuns(spec).runs.map(({ parameters }) => parameters);
    const numbers = groupNumbers(orderDimensions(spec.parameters), runs);
    expect(Math.max(...numbers)).toBe(headTaskCount(runs));
    expect(Math.max(...numbers)).toBeGreaterThan(3);
  });
});

test('runs expected of later rounds are packed as rounds are', () => {
  const spec: SweepSpec = {
    ...PLAIN_SPEC,
    strategy: 'gp',
    maxRuns: 34,
    parameters: [values('batch_size', 16, 32, 64), range('head.dropout', 0, 0.8)],
  };
  const { runs, missingCount } = expectedRuns(spec);
  expect([runs.length, missingCount]).toEqual([34, 0]);
  for (const round of [runs.slice(10, 18), runs.slice(18, 26), runs.slice(26, 34)]) {
    expect(new Set(round.map(({ parameters }) => parameters['batch_size'])).size).toBe(1);
  }
});

test('untried points continue the Sobol sequence of the sampler, with values that are given', () => {
  const spec: SweepSpec = {
    ...PLAIN_SPEC,
    strategy: 'gp',
    maxRuns: 10,
    parameters: [
      when(range('optimizer.momentum', 0, 0.9), 'optimizer.name', 'sgd'),
      values('optimizer.name', 'adam', 'sgd'),
      range('head.dropout', 0, 0.8),
    ],
  };
  const sequence = SOBOL.sample(spec, basePoint(spec))[Symbol.iterator]();
  const points = Array.from({ length: 12 }, () => sequence.next().value as Parameters);
  const untried = new UntriedPoints(spec, 4, () => false);
  expect(Array.from({ length: 8 }, () => untried.nextSobol({}))).toEqual(points.slice(4));
  const given = new UntriedPoints(spec, 0, () => false).nextSobol({ 'optimizer.name': 'sgd' });
  expect(given).toMatchObject({ 'optimizer.name': 'sgd', 'head.dropout': points[0]!['head.dropout'] });
  expect(given).toHaveProperty(['optimizer.momentum']);
});
