import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { canonicalParameters, parametersDigest } from '../../../services/core/search-space/canonical.ts';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import { editDistance, nearestName } from '../../../services/core/text/nearest-name.ts';
import { PARAMETER_DEFINITIONS, PARAMETER_NAMES } from '../../../services/core/search-space/parameter-definitions.ts';
import type { ParameterDefinition } from '../../../services/core/search-space/define-parameter.ts';
import { describeAllowed, valueProblem } from '../../../services/core/search-space/parameter-value.ts';
import { canonicalJson } from '../../../services/core/digest.ts';

describe('PARAMETER_DEFINITIONS', () => {
  test('has unique names, parents first, and defaults that are allowed', () => {
    expect(new Set(PARAMETER_NAMES).size).toBe(PARAMETER_NAMES.length);
    PARAMETER_DEFINITIONS.forEach((definition, index) => {
      if (definition.parent !== null) expect(PARAMETER_NAMES.slice(0, index)).toContain(definition.parent.name);
      if (definition.default !== null) expect(valueProblem(definition, definition.default)).toBeNull();
    });
  });
});

test('lists every parameter in the README as defined', () => {
  const readme = readFileSync(new URL('../../../services/core/search-space/README.md', import.meta.url), 'utf8');
  const listed = readme.split('\n').filter((line) => line.startsWith('| `'));
  const cells = listed.map((line) =>
    line
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
  expect(cells).toEqual(PARAMETER_DEFINITIONS.map(parameterRow));
});

/** Name, default, what is allowed, when it exists, meaning. */
function parameterRow(definition: ParameterDefinition): string[] {
  const { name, parent, doc } = definition;
  const allowed =
    name === 'backbone'
      ? 'see `backbones.ts`'
      : describeAllowed(definition)
          .replace(/^one of /, '')
          .replaceAll('|', '\\|');
  const condition =
    parent === null
      ? ''
      : `${parent.name} ${'above' in parent ? `> ${parent.above}` : parent.anyOf.map(String).join(', ')}`;
  return [`\`${name}\``, definition.default === null ? 'absent' : String(definition.default), allowed, condition, doc];
}

describe('canonicalParameters', () => {
  test('fills in defaults, drops parameters without their parent, sorts', () => {
    const canonical = canonicalParameters({ 'optimizer.name': 'sgd', 'optimizer.rho': 0.5, 'head.units': 0 });
    expect(Object.keys(canonical)).toEqual(Object.keys(canonical).sort());
    expect(canonical).toMatchObject({
      'optimizer.momentum': 0,
      'optimizer.nesterov': false,
      backbone: 'efficientnet_lite0',
    });
    for (const name of ['optimizer.rho', 'optimizer.epsilon', 'head.layers', 'augmentation.flip', 'fine_tune.epochs']) {
      expect(canonical).not.toHaveProperty([name]);
    }
  });

  test('is the same for every spelling, and so is its digest', () => {
    const written = canonicalParameters({ 'fine_tune.enabled': true, 'fine_tune.unfreeze': 4, 'head.l2': -0 });
    expect(written['fine_tune.unfreeze']).toBe('4');
    expect(Object.is(written['head.l2'], 0)).toBe(true);
    expect(canonicalParameters(written)).toEqual(written);
    expect(parametersDigest({})).toBe(parametersDigest({ epochs: 50, 'optimizer.name': 'rmsprop' }));
    expect(parametersDigest({})).not.toBe(parametersDigest({ epochs: 51 }));
  });

  test('omits later parameters at their default, so that earlier runs keep their digest', () => {
    const before = parametersDigest({ method: 'augmented' });
    expect(before).toBe('8eb959ca94189a9447e0611113fdf34710d760fc2236ed9d8e76cacf35236c83');
    expect(parametersDigest({ method: 'augmented', 'augmentation.hue': 0 })).toBe(before);
    expect(parametersDigest({ method: 'augmented', 'schedule.warmup_epochs': 0 })).toBe(before);
    const canonical = canonicalParameters({ method: 'augmented', 'augmentation.hue': 0.2 });
    expect(canonical).toMatchObject({ 'augmentation.hue': 0.2 });
    expect(canonical).not.toHaveProperty(['augmentation.saturation']);
    expect(compileRunConfig(canonical).augmentation).toMatchObject({ hue: 0.2, saturation: 0 });
  });

  test('refuses unknown names and wrong values, all at once', () => {
    expect(() => canonicalParameters({ learning_rate: 0.1, epochs: 0.5, 'optimizer.name': 'rmsprob' })).toThrow(
      [
        'The request has 3 mistakes:',
        "  learning_rate: there is no parameter 'learning_rate'. Here it is called 'optimizer.learning_rate'.",
        '  epochs: must be an integer from 0 to 10000; received 0.5.',
        "  optimizer.name: must be one of rmsprop, adam, adamw, sgd; received 'rmsprob'. Did you mean 'rmsprop'?",
      ].join('\n'),
    );
  });
});

describe('compileRunConfig', () => {
  test('compiles the defaults to the recipe', () => {
    expect(compileRunConfig({})).toEqual({
      backbone: { name: 'efficientnet_lite0', weights: 'imagenet', cut: null },
      imageSize: 180,
      featureDtype: 'float32',
      method: 'cached',
      augmentation: null,
      head: { pooling: 'avg', units: 256, layers: 1, activation: 'linear', dropout: 0.5, l2: 0 },
      optimizer: { name: 'rmsprop', learningRate: 1e-3, rho: 0.9, momentum: 0, epsilon: 1e-7, centered: false },
      schedule: { name: 'constant' },
      batchSize: 32,
      epochs: 50,
      earlyStopping: null,
      labelSmoothing: 0,
      classWeights: 'none',
      loss: { name: 'cross_entropy' },
      fineTune: null,
      seed: 0,
      dataSeed: 0,
    });
  });

  test('compiles augmentation, schedule, early stopping and fine-tuning', () => {
    const config = compileRunConfig({
      method: 'augmented',
      'augmentation.zoom': 0,
      cut: 'block4_pool',
      'schedule.name': 'plateau',
      'early_stopping.patience': 3,
      'fine_tune.enabled': true,
      'fine_tune.optimizer': 'adam',
    });
    expect(config.augmentation).toEqual({
      flip: 'horizontal',
      rotation: 0.1,
      zoom: 0,
      zoomWidth: null,
      translationHeight: 0,
      translationWidth: 0,
      contrast: 0,
      brightness: 0,
      saturation: 0,
      hue: 0,
      randAugment: null,
      mixup: null,
      cutmix: null,
      fillMode: 'reflect',
      fillValue: 0,
      interpolation: 'bilinear',
      seed: 0,
    });
    expect(config.backbone.cut).toBe('block4_pool');
    expect(config.schedule).toEqual({ name: 'plateau', factor: 0.1, patience: 10, minLearningRate: 0 });
    expect(config.fineTune).toEqual({
      unfreeze: 'last_block',
      optimizer: { name: 'adam', learningRate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
      schedule: { name: 'constant' },
      epochs: 30,
      earlyStopping: { patience: 3, minDelta: 0 },
      allowUntrainedHead: false,
    });
  });

  test('omits an optional parameter that is not given', () => {
    const augmented = { method: 'augmented' };
    expect(canonicalParameters(augmented)).not.toHaveProperty(['augmentation.zoom_width']);
    expect(compileRunConfig({ ...augmented, 'augmentation.zoom_width': 0 }).augmentation?.zoomWidth).toBe(0);
  });

  test('compiles optimizer, clipping and schedule of both phases', () => {
    const config = compileRunConfig({
      'optimizer.global_clip_norm': 2,
      'schedule.name': 'exponential',
      'schedule.decay_rate': 0.5,
      'fine_tune.enabled': true,
      'fine_tune.optimizer': 'sgd',
      'fine_tune.momentum': 0.9,
      'fine_tune.clip_value': 0.5,
      'fine_tune.schedule': 'step',
      'fine_tune.schedule_step_epochs': 4,
    });
    expect(config.optimizer).toMatchObject({ name: 'rmsprop', clipping: { by: 'global_norm', limit: 2 } });
    expect(config.schedule).toEqual({ name: 'exponential', decayRate: 0.5, decayEpochs: 1 });
    expect(config.fineTune?.optimizer).toEqual({
      name: 'sgd',
      learningRate: 1e-5,
      momentum: 0.9,
      nesterov: false,
      clipping: { by: 'value', limit: 0.5 },
    });
    expect(config.fineTune?.schedule).toEqual({ name: 'step', stepEpochs: 4, factor: 0.1 });
  });

  test('compiles the focal loss, whose alpha has a default of its own', () => {
    const focal = compileRunConfig({ 'loss.name': 'focal' });
    expect(focal.loss).toEqual({ name: 'focal', gamma: 2, alpha: null });
    const given = compileRunConfig({ 'loss.name': 'focal', 'loss.gamma': 0, 'loss.alpha': 0.75 });
    expect(given.loss).toEqual({ name: 'focal', gamma: 0, alpha: 0.75 });
  });

  test('compiles weights by class name, which are equal in any order', () => {
    const weights = '{"dog": 3.50, "cat": 1, "__proto__": 2}';
    const { classWeights } = compileRunConfig({ class_weights: weights });
    expect(Object.entries(classWeights)).toEqual([
      ['__proto__', 2],
      ['cat', 1],
      ['dog', 3.5],
    ]);
    expect(parametersDigest({ class_weights: '{"__proto__":2,"cat":1,"dog":3.5}' })).toBe(
      parametersDigest({ class_weights: weights }),
    );
  });

  test.each([
    [
      'balnced',
      "must be one of none, balanced, or weights by class name; received 'balnced'. Did you mean 'balanced'?",
    ],
    [
      '{"cat": 1',
      'must be a JSON object of class names and weights, such as {"cat": 1, "dog": 3.5}; received \'{"cat": 1\'.',
    ],
    ['{}', 'names no class. Give a weight by class name, such as {"cat": 1, "dog": 3.5}, or none.'],
    ['{"cat": -1}', "needs a number from 0 to 1000000 as the weight of 'cat'; received -1."],
    ['{"cat": "2"}', `needs a number from 0 to 1000000 as the weight of 'cat'; received '2'.`],
    ['{"a\\u0000b": 1}', "must not have control characters; received U+0000 at character 2 of 'a\\x00b'."],
    ['{"\\u202edog": -1}', "received U+202E at character 1 of '\\u202edog'."],
    [`{"cat": ["${'x'.repeat(200)}"]}`, `as the weight of 'cat'; received ["${'x'.repeat(118)}… (204 characters).`],
  ])('refuses the class weights %s', (weights, message) => {
    expect(() => compileRunConfig({ class_weights: weights })).toThrow(message);
  });

  test('compiles one_cycle, with and without a cycle of the momentum', () => {
    const config = compileRunConfig({
      'schedule.name': 'one_cycle',
      'schedule.max_momentum': 0.9,
      'fine_tune.enabled': true,
      'fine_tune.schedule': 'one_cycle',
      'fine_tune.schedule_pct_start': 0.2,
      'fine_tune.schedule_cycle_momentum': false,
    });
    const factors = { name: 'one_cycle', divFactor: 25, finalDivFactor: 1e4 };
    expect(config.schedule).toEqual({ ...factors, pctStart: 0.3, momentum: { base: 0.85, max: 0.9 } });
    expect(config.fineTune?.schedule).toEqual({ ...factors, pctStart: 0.2, momentum: null });
  });

  test('compiles gradient accumulation and the average of the weights, absent by default', () => {
    const config = compileRunConfig({
      'optimizer.gradient_accumulation_steps': 4,
      'fine_tune.enabled': true,
      'fine_tune.ema_momentum': 0.99,
    });
    expect(config.optimizer).toMatchObject({ gradientAccumulationSteps: 4 });
    expect(config.optimizer).not.toHaveProperty('emaMomentum');
    expect(config.fineTune?.optimizer).toMatchObject({ emaMomentum: 0.99 });
    expect(config.fineTune?.optimizer).not.toHaveProperty('gradientAccumulationSteps');
  });

  test('compiles a warm-up of either phase', () => {
    const config = compileRunConfig({
      'schedule.warmup_epochs': 2.5,
      'fine_tune.enabled': true,
      'fine_tune.schedule': 'cosine',
      'fine_tune.schedule_warmup_epochs': 1,
      'fine_tune.schedule_warmup_start': 0.1,
    });
    expect(config.schedule).toEqual({ name: 'constant', warmup: { epochs: 2.5, start: 0 } });
    expect(config.fineTune?.schedule).toEqual({ name: 'cosine', alpha: 0, warmup: { epochs: 1, start: 0.1 } });
  });

  test('compiles every choice of every parameter', () => {
    for (const definition of PARAMETER_DEFINITIONS) {
      if (definition.type !== 'string' || definition.choices === null) continue;
      for (const choice of definition.choices) {
        const text = JSON.stringify(
          compileRunConfig({ method: 'augmented', 'fine_tune.enabled': true, [definition.name]: choice }),
        );
        expect(text).toContain(JSON.stringify(choice));
      }
    }
  });
});

describe('nearest names', () => {
  test('count a swap once', () => {
    expect([editDistance('kitten', 'sitting'), editDistance('ab', 'ba'), editDistance('', 'abc')]).toEqual([3, 1, 3]);
  });

  test('are only found nearby', () => {
    expect(nearestName('optimiser.learning-rate', PARAMETER_NAMES)).toBe('optimizer.learning_rate');
    expect(nearestName('dropout', PARAMETER_NAMES)).toBe('head.dropout');
    expect(nearestName('temperature', PARAMETER_NAMES)).toBeNull();
  });
});

test('writes canonical JSON independently of the order of names', () => {
  expect(canonicalJson({ b: [1, null, 'x'], a: { d: 1e-7, c: true } })).toBe(
    '{"a":{"c":true,"d":1e-7},"b":[1,null,"x"]}',
  );
  expect(() => canonicalJson({ a: Infinity })).toThrow('received Infinity');
});
