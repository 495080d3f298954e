import { describe, expect, test } from 'vitest';
import { BACKBONE_NAMES } from '../../../services/core/network/backbones.ts';
import { validateSweepSpec } from '../../../services/core/validation/validate-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { PLAIN_SPEC, range, values, when } from './support/specs.ts';

const FRACTIONS = { train: 0.7, validation: 0.15, test: 0.15, seed: 1 };

function mistakes(spec: Partial<SweepSpec>): string[] {
  return validateSweepSpec({ ...PLAIN_SPEC, ...spec }).map(({ field, description }) => `${field}: ${description}`);
}

function fields(spec: Partial<SweepSpec>): string[] {
  return validateSweepSpec({ ...PLAIN_SPEC, ...spec }).map(({ field }) => field);
}

describe('validateSweepSpec', () => {
  test('accepts a spec without mistakes', () => {
    expect(mistakes({})).toEqual([]);
    expect(
      mistakes({
        base: { 'fine_tune.unfreeze': 4, 'augmentation.rotation': 0.05 },
        parameters: [
          values('method', 'cached', 'augmented'),
          values('fine_tune.enabled', true, false),
          when(range('head.dropout', 0, 0.6), 'method', 'cached'),
          range('augmentation.zoom', 0, 0.5),
          range('optimizer.learning_rate', 1e-5, 1e-2, { scale: 'log' }),
        ],
        strategy: 'sobol',
        maxRuns: 16,
      }),
    ).toEqual([]);
  });

  test('reports every mistake at once, each with its path', () => {
    const found = fields({
      dataset: {
        path: 'photos',
        splitFractions: { train: 0.7, validation: 0.2, test: 0.2, seed: 0 },
        allowDuplicates: false,
        skipBadFiles: false,
      },
      base: { 'optimizer.lerning_rate': 0.1, epochs: -1 },
      parameters: [
        range('head.dropout', 0.6, 0.2, { gridPoints: 3 }),
        range('optimizer.learning_rate', 0, 0.1, { scale: 'log', gridPoints: 3 }),
        range('label_smoothing', 0, 0.2),
        values('head.units'),
        values('backbone', 'vgg61'),
      ],
      variants: [{ 'head.units': 'many' }],
      seed: -1,
      maxRuns: 0,
    });
    expect(found).toEqual([
      'dataset.path',
      'dataset.split_fractions',
      'base["optimizer.lerning_rate"]',
      'base["epochs"]',
      'parameters[0].range.min',
      'parameters[1].range.min',
      'parameters[1].range.min',
      'parameters[2].range.grid_points',
      'parameters[3].values',
      'parameters[4].values[0]',
      'variants[0]["head.units"]',
      'max_runs',
      'seed',
    ]);
  });

  test('describes the problem, the received value and how to fix it', () => {
    expect(
      mistakes({
        base: { 'optimizer.lerning_rate': 0.1 },
        parameters: [
          range('head.dropout', 0.6, 0.2, { gridPoints: 3 }),
          range('label_smoothing', 0, 0.2),
          range('weights', 0, 1),
          values('backbone', 'vgg61', 'vgg16', 'vgg16'),
        ],
      }),
    ).toEqual([
      `base["optimizer.lerning_rate"]: there is no parameter 'optimizer.lerning_rate'. Did you mean 'optimizer.learning_rate'?`,
      'parameters[0].range.min: must not be above max; received min 0.6 and max 0.2. Swap them.',
      "parameters[1].range.grid_points: is missing: a grid needs to know how many points of 'label_smoothing' to try between 0 " +
        'and 0.2. Give grid_points (for example 4) or step, a list of values, or use strategy: random or sobol.',
      "parameters[2].range: 'weights' is not a number and has no range. Give a list of values, each a string.",
      `parameters[3].values[0]: 'backbone' must be one of ${BACKBONE_NAMES.join(', ')}; received 'vgg61'. ` +
        "Did you mean 'vgg16'?",
      "parameters[3].values[2]: 'vgg16' is in the list already, at place 1. Take one of them out.",
    ]);
  });

  test.each<[string, Partial<SweepSpec>, string]>([
    ['a dimension twice', { parameters: [values('epochs', 1), values('epochs', 2)] }, 'parameters[1].name'],
    ['an unknown dimension', { parameters: [values('epoch', 1)] }, 'parameters[0].name'],
    ['a bound outside', { parameters: [range('image_size', 8, 64, { step: 8 })] }, 'parameters[0].range.min'],
    [
      'a bound that may not be reached',
      { parameters: [range('head.dropout', 0, 1, { step: 0.5 })] },
      'parameters[0].range.max',
    ],
    [
      'a bound that is not whole',
      { parameters: [range('epochs', 1, 2.5, { gridPoints: 2 })] },
      'parameters[0].range.max',
    ],
    ['one grid point', { parameters: [range('epochs', 1, 5, { gridPoints: 1 })] }, 'parameters[0].range.grid_points'],
    [
      'points and step',
      { parameters: [range('epochs', 1, 5, { gridPoints: 2, step: 1 })] },
      'parameters[0].range.grid_points',
    ],
    [
      'points without a grid',
      { parameters: [range('epochs', 1, 5, { gridPoints: 2 })], strategy: 'random', maxRuns: 3 },
      'parameters[0].range.grid_points',
    ],
    ['a step of zero', { parameters: [range('head.l2', 0, 1, { step: 0 })] }, 'parameters[0].range.step'],
    ['a step too wide', { parameters: [range('head.l2', 0, 1, { step: 2 })] }, 'parameters[0].range.step'],
    ['random without max_runs', { parameters: [range('head.l2', 0, 1)], strategy: 'random' }, 'max_runs'],
    ['nothing to draw', { strategy: 'sobol', maxRuns: 4 }, 'parameters'],
    ['a list without variants', { strategy: 'list' }, 'variants'],
    ['a list with dimensions', { strategy: 'list', variants: [{}], parameters: [values('epochs', 1)] }, 'parameters'],
    ['an unknown strategy', { strategy: 'annealing' }, 'strategy'],
    ['an unknown metric', { objective: { metric: 'accuracy' as 'val_loss', goal: 'minimize' } }, 'objective.metric'],
    ['the worst run wanted', { objective: { metric: 'val_accuracy', goal: 'minimize' } }, 'objective.goal'],
    ['an unknown test policy', { testPolicy: 'all' as 'winner' }, 'test_policy'],
    [
      'a grid too large',
      { parameters: [range('epochs', 1, 10_000, { step: 1 }), values('batch_size', 1, 2)] },
      'parameters',
    ],
    ...(['train', 'validation', 'test'] as const).map((split): [string, Partial<SweepSpec>, string] => [
      `no part for ${split}`,
      { dataset: { ...PLAIN_SPEC.dataset, splitFractions: { ...FRACTIONS, [split]: 0 } } },
      `dataset.split_fractions.${split}`,
    ]),
    ['no path', { dataset: { ...PLAIN_SPEC.dataset, path: '' } }, 'dataset.path'],
  ])('%s', (_, spec, field) => {
    expect(fields(spec)).toEqual([field]);
  });

  describe('what can never be', () => {
    test('a parameter without its parent, in base, dimension and variant', () => {
      expect(
        mistakes({
          base: { 'augmentation.rotation': 0.2 },
          parameters: [values('optimizer.nesterov', true, false)],
          variants: [{ 'head.units': 0, 'head.layers': 2 }],
        }),
      ).toEqual([
        `base["augmentation.rotation"]: can never be used: 'augmentation.rotation' exists only where method is 'augmented', ` +
          'and no run has that. Set method accordingly, or take it out.',
        "parameters[0].name: can never be used: 'optimizer.nesterov' exists only where optimizer.name is 'sgd', and no run has " +
          'that. Set optimizer.name accordingly, or take it out.',
        `variants[0]["head.layers"]: can never be used: 'head.layers' exists only where head.units is above 0, and this variant ` +
          'does not have that. Set head.units accordingly, or take it out.',
      ]);
    });

    test('one variant that has the parent is enough for the base', () => {
      const variants = [{}, { method: 'augmented' }];
      expect(fields({ base: { 'augmentation.rotation': 0.2 }, strategy: 'list', variants })).toEqual([]);
    });

    test('two kinds of clipping at once', () => {
      expect(mistakes({ base: { 'optimizer.clip_norm': 1, 'optimizer.global_clip_norm': 1 } })).toEqual([
        `base["optimizer.global_clip_norm"]: can never be used: 'optimizer.global_clip_norm' exists only where ` +
          'optimizer.clip_norm is 0, and no run has that. Set optimizer.clip_norm accordingly, or take it out.',
      ]);
    });

    test('a condition that never holds', () => {
      const parameters = [values('head.units', 64, 128), when(values('head.dropout', 0.1, 0.2), 'head.units', 256)];
      expect(fields({ parameters })).toEqual(['parameters[1].conditions[0].values']);
    });
  });

  describe('no epochs of the head', () => {
    const tuned = { 'fine_tune.enabled': true };

    test('without fine-tuning: nothing would train', () => {
      expect(mistakes({ base: { epochs: 0 } })).toEqual([
        'base["epochs"]: 0 trains nothing, because without fine-tuning there is only the head. Give at least 1.',
      ]);
    });

    test('with fine-tuning: only where the run says so', () => {
      expect(mistakes({ base: tuned, parameters: [values('epochs', 0, 5)] })).toEqual([
        'parameters[0]: 0 leaves the head untrained, and fine-tuning on an untrained head destroys what the base has learnt. ' +
          'Give at least 1, or set fine_tune.allow_untrained_head: true.',
      ]);
      expect(fields({ base: tuned, variants: [{ epochs: 0 }], strategy: 'list' })).toEqual(['variants[0]["epochs"]']);
      expect(fields({ base: { ...tuned, epochs: 0, 'fine_tune.allow_untrained_head': true } })).toEqual([]);
    });
  });

  test('a warm-up that leaves no epoch to the schedule', () => {
    expect(mistakes({ base: { epochs: 5 }, parameters: [values('schedule.warmup_epochs', 0, 5)] })).toEqual([
      'parameters[0]: must be below epochs, which is 5: the schedule follows the warm-up; received 5.',
    ]);
    const tuned = { 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.schedule_warmup_epochs': 3 };
    expect(mistakes({ base: { ...tuned, 'schedule.warmup_epochs': 60 } })).toEqual([
      'base["schedule.warmup_epochs"]: must be below epochs, which is 50: the schedule follows the warm-up; received 60.',
      'base["fine_tune.schedule_warmup_epochs"]: must be below fine_tune.epochs, which is 2: the schedule follows the ' +
        'warm-up; received 3.',
    ]);
    expect(fields({ base: { epochs: 5, 'schedule.warmup_epochs': 4.5 } })).toEqual([]);
  });

  describe('images too small for their backbone, which the others take', () => {
    const large = values('backbone', 'vgg16', 'xception');

    test('names the place of the size, the smallest size and the backbone', () => {
      expect(mistakes({ base: { backbone: 'xception', image_size: 70 } })).toEqual([
        'base["image_size"]: must be at least 71 with backbone xception, as in Keras; received 70. Give larger images, or ' +
          'another backbone.',
      ]);
      expect(fields({ parameters: [large, values('image_size', 32, 180)] })).toEqual(['parameters[1]']);
      expect(fields({ parameters: [large, range('image_size', 64, 128, { step: 32 })] })).toEqual(['parameters[1]']);
      const listed = { base: { backbone: 'xception' }, variants: [{ image_size: 64 }] };
      expect(fields({ ...listed, strategy: 'list' })).toEqual(['variants[0]["image_size"]']);
    });

    test('says nothing where each backbone gets what it takes', () => {
      expect(mistakes({ base: { backbone: 'xception', image_size: 71 } })).toEqual([]);
      expect(mistakes({ base: { image_size: 32 }, parameters: [values('backbone', 'vgg16', 'densenet121')] })).toEqual(
        [],
      );
      expect(mistakes({ parameters: [large, when(values('image_size', 32, 64), 'backbone', 'vgg16')] })).toEqual([]);
    });
  });

  describe('conditions', () => {
    const method = values('method', 'cached', 'augmented');
    test.each([
      ['unknown', [when(values('epochs', 1, 2), 'methode', 'cached')], 'parameters[0].conditions[0].name'],
      ['itself', [when(values('epochs', 1, 2), 'epochs', 1)], 'parameters[0].conditions[0].name'],
      ['later', [when(values('epochs', 1, 2), 'method', 'cached'), method], 'parameters[0].conditions[0].name'],
      [
        'under what it governs',
        [when(method, 'augmentation.flip', 'none'), values('augmentation.flip', 'none', 'vertical')],
        'parameters[0].conditions[0].name',
      ],
      [
        'a wrong value',
        [method, when(values('epochs', 1, 2), 'method', 'streamed')],
        'parameters[1].conditions[0].values[0]',
      ],
    ])('%s', (_, parameters, field) => {
      expect(fields({ parameters })).toEqual([field]);
    });

    test('each other', () => {
      const parameters = [
        when(values('epochs', 1, 2), 'batch_size', 16),
        when(values('batch_size', 16, 32), 'epochs', 1),
      ];
      expect(mistakes({ parameters })).toEqual([
        "parameters[0].conditions[0].name: 'batch_size' and 'epochs' depend on each other, so neither could come first. " +
          'Take one condition out.',
      ]);
    });

    test('on a parameter that is not varied', () => {
      expect(fields({ parameters: [when(values('epochs', 1, 2), 'method', 'cached')] })).toEqual([]);
    });
  });

  test('conditions can make a grid of allowed size from too many combinations', () => {
    const parameters = [
      values('head.units', 0, 1),
      ...['head.layers', 'batch_size'].map((name) => range(name, 1, 8, { step: 1 })),
      when(range('epochs', 1, 150, { step: 1 }), 'head.units', 1),
    ];
    // 8 + 8 × 8 × 150 of 2 × 8 × 8 × 150.
    expect(fields({ parameters })).toEqual([]);
  });
});
