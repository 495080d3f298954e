import { describe, expect, test } from 'vitest';
import { featureSetKey } from '../../../services/core/planner/feature-set.ts';
import { planEvaluation } from '../../../services/core/planner/plan-evaluation.ts';
import { infeasibleRuns, planSweep } from '../../../services/core/planner/plan-sweep.ts';
import type { PlanInput } from '../../../services/core/planner/plan.ts';
import { previewSweep } from '../../../services/core/planner/preview-sweep.ts';
import { resolveUnfreeze } from '../../../services/core/network/resolve-unfreeze.ts';
import { weightsReferencesOf } from '../../../services/core/planner/weights-digests.ts';
import { findBest } from '../../../services/core/ranking.ts';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import { RESIDUAL_LAYERS, VGG16_LAYERS } from './support/layers.ts';
import { clusterOf, SMALL_DATASET } from './support/plan-inputs.ts';
import { PLAIN_SPEC, values } from './support/specs.ts';

const VGG: Parameters = { backbone: 'vgg16' };
const WEIGHTS = [
  { backbone: 'vgg16', weights: 'imagenet', digest: 'v' },
  { backbone: 'mobilenet_v2', weights: 'imagenet', digest: 'm' },
];

function input(parameters: readonly Parameters[], slotCount = 2): PlanInput {
  return {
    sweepId: 's1',
    objective: { metric: 'val_loss', goal: 'minimize' },
    runs: parameters.map((p, index) => ({ runId: `r${index}`, index, config: compileRunConfig(p) })),
    dataset: SMALL_DATASET,
    weights: WEIGHTS,
    cluster: clusterOf(slotCount),
  };
}

/** Stage, runs, feature sets as split:cut:pooling, dependencies. */
function outline(parameters: readonly Parameters[], slotCount?: number): unknown[] {
  return planSweep(input(parameters, slotCount)).tasks.map((task) => [
    `${task.taskId} ${task.stage}`,
    task.runIds.join(' '),
    task.featureSets.map(({ split, cut, pooling }) => `${split}:${cut ?? 'top'}:${pooling}`).join(' '),
    task.dependsOn.join(' '),
  ]);
}

describe('planSweep', () => {
  test('plans one extraction and one group for cached heads: a second task would save less time than it costs', () => {
    const runs = [64, 128, 256, 512, 1024].map((units) => ({ ...VGG, 'head.units': units, epochs: 5 }));
    expect(outline(runs)).toEqual([
      ['s1-t01 FEATURES', '', 'train:top:avg validation:top:avg', ''],
      ['s1-t02 HEAD', 'r0 r1 r2 r3 r4', 'train:top:avg validation:top:avg', 's1-t01'],
    ]);
  });

  test('spreads long heads evenly over the slots', () => {
    const runs = [1, 2, 3, 4, 5].map((seed) => ({ ...VGG, 'head.pooling': 'flatten', 'head.units': 1024, seed }));
    const heads = planSweep(input(runs, 2)).tasks.filter((task) => task.stage === 'HEAD');
    expect(heads.map((task) => task.runIds.join(' '))).toEqual(['r0 r1', 'r2 r3 r4']);
    expect(planSweep(input(runs, 1)).tasks.filter((task) => task.stage === 'HEAD')).toHaveLength(1);
  });

  test('does not split an augmented stream: each part would pass its images through the base again', () => {
    const runs = [1, 2, 3, 4].map((seed) => ({ ...VGG, method: 'augmented', seed }));
    expect(planSweep(input(runs, 4)).tasks.filter((task) => task.stage === 'HEAD')).toHaveLength(1);
  });

  test('keeps the memory of each task within a slot', () => {
    const runs = Array.from({ length: 16 }, (_, seed) => ({ ...VGG, 'head.pooling': 'flatten', seed }));
    const plan = planSweep({ ...input(runs), cluster: clusterOf(1, { memoryBytes: 1.5e9 }) });
    const heads = plan.tasks.filter((task) => task.stage === 'HEAD');
    expect(heads.length).toBeGreaterThan(1);
    for (const { forecast } of heads) expect(forecast.memoryBytes).toBeLessThanOrEqual(1.5e9);
    expect(heads.flatMap((task) => task.runIds)).toHaveLength(16);
  });

  test('separates feature sets by pooling and groups by batch size', () => {
    expect(outline([VGG, { ...VGG, 'head.pooling': 'flatten' }, { ...VGG, batch_size: 16 }], 4)).toEqual([
      ['s1-t01 FEATURES', '', 'train:top:avg validation:top:avg', ''],
      ['s1-t02 FEATURES', '', 'train:top:none validation:top:none', ''],
      ['s1-t03 HEAD', 'r0', 'train:top:avg validation:top:avg', 's1-t01'],
      ['s1-t04 HEAD', 'r1', 'train:top:none validation:top:none', 's1-t02'],
      ['s1-t05 HEAD', 'r2', 'train:top:avg validation:top:avg', 's1-t01'],
    ]);
  });

  test('shares one stream between augmented heads with the same images, whatever their pooling', () => {
    const augmented = { ...VGG, method: 'augmented' };
    const runs = [augmented, { ...augmented, 'head.pooling': 'max' }, { ...augmented, 'augmentation.rotation': 0.3 }];
    expect(outline(runs)).toEqual([
      ['s1-t01 FEATURES', '', 'validation:top:avg', ''],
      ['s1-t02 FEATURES', '', 'validation:top:max', ''],
      ['s1-t03 HEAD', 'r0 r1', 'validation:top:avg validation:top:max', 's1-t01 s1-t02'],
      ['s1-t04 HEAD', 'r2', 'validation:top:avg', 's1-t01'],
    ]);
  });

  test.each<[string, Parameters]>([
    ['augmentation.zoom_width', { 'augmentation.zoom_width': 0.2 }],
    ['augmentation.translation_height', { 'augmentation.translation_height': 0.1 }],
    ['augmentation.translation_width', { 'augmentation.translation_width': 0.1 }],
    ['augmentation.contrast', { 'augmentation.contrast': 0.1 }],
    ['augmentation.brightness', { 'augmentation.brightness': 0.1 }],
    ['augmentation.interpolation', { 'augmentation.interpolation': 'nearest' }],
    ['augmentation.fill_mode', { 'augmentation.fill_mode': 'constant' }],
  ])('%s makes another stream', (_, other) => {
    const augmented = { ...VGG, method: 'augmented' };
    const heads = planSweep(input([augmented, { ...augmented, ...other }, { ...augmented, seed: 7 }])).tasks.filter(
      (task) => task.stage === 'HEAD',
    );
    expect(heads.map((task) => task.runIds)).toEqual([['r0', 'r2'], ['r1']]);
  });

  test('plans neither task nor features for an untrained head', () => {
    const run = { ...VGG, epochs: 0, 'fine_tune.enabled': true, 'fine_tune.allow_untrained_head': true };
    expect(outline([run])).toEqual([
      ['s1-t01 FEATURES', '', 'train:block4_pool:none validation:block4_pool:none', ''],
      ['s1-t02 FINE_TUNE', 'r0', 'train:block4_pool:none validation:block4_pool:none', 's1-t01'],
    ]);
  });

  test('limits a group to 64 heads', () => {
    const runs = Array.from({ length: 130 }, (_, index) => ({ ...VGG, method: 'augmented', 'head.units': index }));
    const heads = planSweep(input(runs)).tasks.filter((task) => task.stage === 'HEAD');
    expect(heads.map((task) => task.runIds.length)).toEqual([43, 43, 44]);
  });

  test('fine-tunes from the last frozen layer, and trains equal heads once, by the first run', () => {
    const tuned = { ...VGG, 'fine_tune.enabled': true };
    const runs = [
      tuned,
      { ...tuned, 'fine_tune.learning_rate': 1e-4 },
      { ...tuned, 'fine_tune.unfreeze': 'all' },
      { ...tuned, 'head.units': 64 },
      { ...tuned, method: 'augmented' },
    ];
    expect(outline(runs, 1)).toEqual([
      ['s1-t01 FEATURES', '', 'train:top:avg validation:top:avg', ''],
      ['s1-t02 FEATURES', '', 'train:block4_pool:none validation:block4_pool:none', ''],
      ['s1-t03 HEAD', 'r0 r3', 'train:top:avg validation:top:avg', 's1-t01'],
      ['s1-t04 HEAD', 'r4', 'validation:top:avg', 's1-t01'],
      ['s1-t05 FINE_TUNE', 'r0', 'train:block4_pool:none validation:block4_pool:none', 's1-t03 s1-t02'],
      ['s1-t06 FINE_TUNE', 'r1', 'train:block4_pool:none validation:block4_pool:none', 's1-t03 s1-t02'],
      ['s1-t07 FINE_TUNE', 'r2', '', 's1-t03'],
      ['s1-t08 FINE_TUNE', 'r3', 'train:block4_pool:none validation:block4_pool:none', 's1-t03 s1-t02'],
      ['s1-t09 FINE_TUNE', 'r4', 'validation:block4_pool:none', 's1-t04 s1-t02'],
    ]);
    expect([...planSweep(input(runs)).sharedHeads]).toEqual([
      ['r1', 'r0'],
      ['r2', 'r0'],
    ]);
  });

  test('trains a shared head in the run that has only the head', () => {
    const runs = [{ ...VGG, 'fine_tune.enabled': true }, VGG, { ...VGG, 'fine_tune.enabled': true, seed: 5 }];
    const plan = planSweep(input(runs));
    expect([...plan.sharedHeads]).toEqual([['r0', 'r1']]);
    expect(plan.tasks.filter((task) => task.stage === 'HEAD').flatMap((task) => task.runIds)).toEqual(['r1', 'r2']);
  });

  test('shares a stream between augmented fine-tunings of one frozen part, not with other depths, sizes and seeds', () => {
    const tuned = { ...VGG, method: 'augmented', 'fine_tune.enabled': true, epochs: 2 };
    const runs = [
      tuned,
      { ...tuned, 'fine_tune.learning_rate': 1e-4 },
      { ...tuned, 'fine_tune.unfreeze': '4' },
      { ...tuned, 'fine_tune.unfreeze': 'block4' },
      { ...tuned, 'augmentation.seed': 9 },
      { ...tuned, 'fine_tune.unfreeze': 'all' },
    ];
    const tasks = planSweep(input(runs, 1)).tasks.filter((task) => task.stage === 'FINE_TUNE');
    expect(tasks.map((task) => task.runIds.join(' '))).toEqual(['r0 r1 r2', 'r3', 'r4', 'r5']);
    expect(tasks[0]?.description).toContain('one augmented stream through the frozen part up to block4_pool');
  });

  test('shares the feature set of a flattening head with a fine-tuning run cut at the same place', () => {
    const cut = { ...VGG, cut: 'block4_pool', 'head.pooling': 'flatten' };
    const runs = [cut, { ...VGG, 'fine_tune.enabled': true }];
    expect(planSweep(input(runs)).tasks.filter((task) => task.stage === 'FEATURES')).toHaveLength(2);
  });

  test('names runs whose class weights name a class that the data set lacks', () => {
    const { runs } = input([
      VGG,
      { ...VGG, class_weights: '{"cat": 2}' },
      { ...VGG, class_weights: '{"dgo": 2, "cat": 1}' },
    ]);
    expect(infeasibleRuns(runs, null)).toEqual([]);
    expect(infeasibleRuns(runs, { count: 2, names: ['cat', 'dog'] })).toEqual([
      {
        runId: 'r2',
        reason:
          "class_weights names 'dgo', which the data set does not have; its 2 classes are cat, dog. Did you mean 'dog'?",
      },
    ]);
  });

  test('names runs that the base does not allow, with the reason', () => {
    const runs = [
      VGG,
      { ...VGG, 'fine_tune.enabled': true, 'fine_tune.unfreeze': 'blok5' },
      { ...VGG, cut: 'block9' },
      { backbone: 'mobilenet_v2', cut: 'block_2_expand' },
    ];
    const { runs: planned } = input(runs);
    expect(infeasibleRuns(planned, null)).toEqual([
      {
        runId: 'r1',
        reason:
          "fine_tune.unfreeze: the base has no layer or block 'blok5'. Did you mean 'block5'? Its blocks are block1, block2, block3, " +
          "block4, block5; a layer's name, a number of last layers, last_block and all are valid too.",
      },
      {
        runId: 'r2',
        reason:
          "cut: the base has no layer 'block9'. It can end after block1_pool, block2_pool, block3_pool, block4_pool, block5_pool.",
      },
      {
        runId: 'r3',
        reason:
          "cut: the base can't end after 'block_2_expand': a branch goes past it. The nearest layer below it that can end a base is " +
          "'block_1_project_BN'.",
      },
    ]);
  });

  test('throws for weights that the caller did not resolve', () => {
    expect(() => planSweep({ ...input([VGG]), weights: [] })).toThrow("'imagenet' of backbone 'vgg16'");
  });
});

describe('resolveUnfreeze', () => {
  test.each([
    ['last_block', null, 'block5_conv1', 'block4_pool'],
    ['4', null, 'block5_conv1', 'block4_pool'],
    ['1', null, 'block5_pool', 'block5_conv3'],
    ['block3', null, 'block3_conv1', 'block2_pool'],
    ['block4_conv2', null, 'block4_conv2', 'block4_conv1'],
    ['all', null, 'block1_conv1', null],
    ['18', null, 'block1_conv1', null],
    ['last_block', 'block4_conv2', 'block4_conv1', 'block3_pool'],
  ])('VGG16: %s, cut %s', (unfreeze, cut, trainableFrom, prefixCut) => {
    expect(resolveUnfreeze(VGG16_LAYERS, cut, unfreeze)).toEqual({ trainableFrom, prefixCut });
  });

  test('ends the prefix before the branch of a residual block', () => {
    expect(resolveUnfreeze(RESIDUAL_LAYERS, null, 'b2_bn')).toEqual({ trainableFrom: 'b2_bn', prefixCut: 'b1_add' });
  });

  test.each([
    ['19', 'the base has 18 layers; received 19. Give a number from 1 to 18'],
    ['0', 'Give a number from 1 to 18'],
    ['block5_conv9', "Did you mean 'block5_conv1'?"],
    ['head', "no layer or block 'head'. Its blocks are block1,"],
  ])('%s is refused', (unfreeze, message) => {
    expect(() => resolveUnfreeze(VGG16_LAYERS, null, unfreeze)).toThrow(message);
  });

  test('refuses a layer above the cut', () => {
    expect(() => resolveUnfreeze(VGG16_LAYERS, 'block3_pool', 'block5')).toThrow(
      "'block5' lies above the cut 'block3_pool', where the base ends. Its blocks are block1, block2, block3;",
    );
  });
});

test('featureSetKey depends on everything in the identity', () => {
  const identity = {
    datasetDigest: 'd',
    split: 'train',
    backbone: 'vgg16',
    weightsDigest: 'w',
    cut: null,
    imageSize: 180,
    pooling: 'avg',
    dtype: 'float32',
  } as const;
  const others = [
    { datasetDigest: 'e' },
    { split: 'validation' },
    { backbone: 'vgg19' },
    { weightsDigest: 'x' },
    { cut: 'block1_pool' },
    { imageSize: 224 },
    { pooling: 'max' },
    { dtype: 'float16' },
  ] as const;
  const keys = [identity, ...others.map((other) => ({ ...identity, ...other }))].map(featureSetKey);
  expect(new Set(keys).size).toBe(9);
  expect(keys[0]).toMatch(/^[0-9a-f]{64}$/);
});

describe('planEvaluation', () => {
  const finished = (values_: readonly (number | null)[], parameters: readonly Parameters[] = []) => ({
    ...input(values_.map((_, index) => parameters[index] ?? VGG)),
    testPolicy: 'winner' as const,
    hasBaseline: true,
    runs: values_.map((bestValue, index) => ({
      runId: `r${index}`,
      index,
      runIndex: index,
      config: compileRunConfig(parameters[index] ?? VGG),
      state: 'SUCCEEDED' as const,
      bestValue,
      bestValLoss: bestValue,
      bestValAccuracy: null as number | null,
    })),
  });

  test('evaluates winner and baseline in one task where they share the base', () => {
    expect(planEvaluation(finished([0.5, 0.2, 0.2, null]))).toMatchObject([
      { taskId: 's1-e01', stage: 'EVALUATE', runIds: ['r0', 'r1'], roles: { r0: 'BASELINE', r1: 'WINNER' } },
    ]);
    const other = planEvaluation(finished([0.5, 0.2], [VGG, { backbone: 'mobilenet_v2' }]));
    expect(other.map((task) => [task.taskId, ...task.runIds])).toEqual([
      ['s1-e01', 'r0'],
      ['s1-e02', 'r1'],
    ]);
  });

  test('evaluates a winning baseline once, and runs without a finite value never', () => {
    expect(planEvaluation(finished([0.1, 0.2])).map((task) => task.roles)).toEqual([{ r0: 'WINNER' }]);
    expect(planEvaluation(finished([NaN, null, Infinity]))).toEqual([]);
  });

  test('evaluates every run, with a goal to maximize', () => {
    const all = { ...finished([0.7, 0.9, 0.8]), testPolicy: 'every_run' as const };
    const [task] = planEvaluation({ ...all, objective: { metric: 'val_accuracy', goal: 'maximize' } });
    expect(task?.roles).toEqual({ r0: 'BASELINE', r1: 'WINNER', r2: 'EVERY_RUN' });
    expect(findBest(all.objective, all.runs)?.runId).toBe('r0');
  });

  test('breaks ties by the other metric, and takes no first draw for a baseline', () => {
    const tied = finished([0.2, 0.3, 0.2]);
    const runs = tied.runs.map((run) => ({ ...run, bestValAccuracy: run.index === 2 ? 0.9 : 0.8 }));
    expect(planEvaluation({ ...tied, runs }).map((task) => task.roles)).toEqual([{ r0: 'BASELINE', r2: 'WINNER' }]);
    expect(planEvaluation({ ...tied, runs, hasBaseline: false }).map((task) => task.roles)).toEqual([{ r2: 'WINNER' }]);
    const all = { ...tied, runs, hasBaseline: false, testPolicy: 'every_run' as const };
    expect(planEvaluation(all)[0]?.roles).toEqual({ r0: 'EVERY_RUN', r1: 'EVERY_RUN', r2: 'WINNER' });
  });
});

describe('previewSweep', () => {
  test('counts passes through the base alone and shared', () => {
    const spec = {
      ...PLAIN_SPEC,
      base: { epochs: 10, 'fine_tune.epochs': 4 },
      parameters: [
        values('method', 'cached', 'augmented'),
        values('head.units', 0, 64),
        values('fine_tune.enabled', false, true),
      ],
    };
    const preview = previewSweep(spec, clusterOf(1), null);
    expect(preview.runs).toHaveLength(8);
    expect(preview.runs[0]?.variedNames).toEqual(['fine_tune.enabled', 'head.units', 'method']);
    // Each of 8 runs: 10 epochs of 2 splits; each of 4 fine-tuned ones: 4 more epochs.
    expect(preview.basePassCountAlone).toBe(8 * 20 + 4 * 8);
    // Stored: 2 splits of the whole base and 2 of the prefix; streams: 10 epochs, and 4 for the 2 augmented fine-tunings.
    expect(preview.basePassCountShared).toBe(4 + 10 + 4);
    expect(preview.tasks.map((task) => task.stage)).toEqual([
      'INDEX',
      'FEATURES',
      'FEATURES',
      'HEAD',
      'HEAD',
      ...new Array<string>(3).fill('FINE_TUNE'),
      'EVALUATE',
    ]);
    // Four heads for eight runs: each is trained by the run that does not fine-tune it.
    expect(preview.runs.filter(({ runIndex, headRunIndex }) => runIndex === headRunIndex)).toHaveLength(4);
    expect(preview.cost).toMatchObject({
      slotCount: 1,
      extractionCount: 2,
      headCount: 4,
      headTaskCount: 2,
      fineTuneCount: 4,
      fineTuneTaskCount: 3,
    });
    expect(preview.cost.imageCountsAssumed).toBe(true);
    const expected = preview.tasks.reduce((sum, { expectedSeconds }) => sum + expectedSeconds, 0);
    expect(preview.cost.slotSeconds).toBeCloseTo(expected, 6);
    // One slot has no other to share the work with.
    expect(preview.cost.wallSeconds).toBeCloseTo(expected, 6);
    expect(preview.cost.slotSecondsAlone).toBeGreaterThan(3 * expected);
    preview.tasks.forEach((task, position) => {
      for (const dependency of task.dependencies) expect(dependency).toBeLessThan(position);
      if (position > 0) expect(task.dependencies).not.toEqual([]);
    });
  });
});

test('weightsReferencesOf names each pair once', () => {
  const configs = [VGG, { ...VGG, epochs: 3 }, { ...VGG, weights: 'random' }].map(compileRunConfig);
  expect(weightsReferencesOf(configs)).toEqual([
    { backbone: 'vgg16', weights: 'imagenet' },
    { backbone: 'vgg16', weights: 'random' },
  ]);
});
