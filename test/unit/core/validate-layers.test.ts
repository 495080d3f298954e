import { expect, test } from 'vitest';
import { backboneGraph } from '../../../services/core/network/backbone-graph.ts';
import { BACKBONE_NAMES } from '../../../services/core/network/backbones.ts';
import { isTrained } from '../../../services/core/network/layer-shapes.ts';
import { infeasibleRuns } from '../../../services/core/planner/plan-sweep.ts';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import type { Parameters, SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { validateSweepSpec } from '../../../services/core/validation/validate-spec.ts';
import { PLAIN_SPEC, range, values, when } from './support/specs.ts';

const TUNED: Parameters = { 'fine_tune.enabled': true };
const VGG: Parameters = { backbone: 'vgg16' };

function mistakes(change: Partial<SweepSpec>): string[] {
  return validateSweepSpec({ ...PLAIN_SPEC, ...change }).map(({ field, description }) => `${field}: ${description}`);
}

function fields(change: Partial<SweepSpec>): string[] {
  return validateSweepSpec({ ...PLAIN_SPEC, ...change }).map(({ field }) => field);
}

test.each(BACKBONE_NAMES)('%s: what is refused is exactly what would train nothing', (backbone) => {
  const { layers, weights, infos } = backboneGraph(backbone, 224);
  const last = weights.findLastIndex((specs) => specs.some(isTrained));
  const names = layers.slice(last + 1).map(({ name }) => name);
  expect(infos.map(({ untrainable }) => untrainable !== true)).toEqual(weights.map((specs) => specs.some(isTrained)));
  const fieldsOf = (unfreeze: string | number): string[] =>
    fields({ base: { ...TUNED, backbone, 'fine_tune.unfreeze': unfreeze } });
  for (const unfreeze of [1, names.length, String(names.length), ...names]) expect(fieldsOf(unfreeze)).toHaveLength(1);
  for (const unfreeze of [names.length + 1, layers[last]?.name ?? '', 'last_block', 'all']) {
    expect(fieldsOf(unfreeze)).toEqual([]);
  }
});

test('unfreezing layers without weights is refused where it is written, for the bases that have it', () => {
  const told =
    'does not fit mobilenet_v2: it unfreezes nothing that could train: the last layers are Conv_1_bn, out_relu, without weights to ' +
    "train; received '2'. Give at least 3, last_block or a block's name, or take fine-tuning out.";
  expect(
    mistakes({
      base: { ...TUNED, weights: 'random' },
      parameters: [values('backbone', 'vgg16', 'mobilenet_v2'), values('fine_tune.unfreeze', 2, 4)],
    }),
  ).toEqual([`parameters[1].values[0]: ${told}`]);
  const variants = [{ backbone: 'mobilenet_v2', 'fine_tune.unfreeze': 2 }];
  expect(mistakes({ base: TUNED, strategy: 'list', variants })).toEqual([`variants[0]["fine_tune.unfreeze"]: ${told}`]);
  // Without fine-tuning it has no part in the run.
  expect(mistakes({ base: TUNED, parameters: [values('backbone', 'vgg16')] })).toEqual([]);
});

test('a cut base whose unfrozen layers have no weights is refused', () => {
  const base = { ...TUNED, ...VGG, cut: 'block3_pool' };
  for (const unfreeze of ['2', 'block3', 'last_block', 'all']) {
    expect(mistakes({ base: { ...base, 'fine_tune.unfreeze': unfreeze } })).toEqual([]);
  }
  for (const unfreeze of ['1', 'block3_pool']) {
    const description =
      'does not fit vgg16 cut at block3_pool: it unfreezes nothing that could train: the last layer is block3_pool, without ' +
      `weights to train; received '${unfreeze}'. Give at least 2, last_block or a block's name, or take fine-tuning out.`;
    expect(mistakes({ base: { ...base, 'fine_tune.unfreeze': unfreeze } })).toEqual([
      `base["fine_tune.unfreeze"]: ${description}`,
    ]);
  }
  // The depth is the default and written nowhere: the cut is.
  expect(mistakes({ base: { ...TUNED, backbone: 'resnet50', cut: 'conv1_pad' } })).toEqual([
    'base["cut"]: leaves nothing to fine-tune: \'last_block\' does not fit resnet50 cut at conv1_pad: it unfreezes nothing that ' +
      "could train: the last layer is conv1_pad, without weights to train; received 'last_block'. Give at least 2, last_block or a " +
      "block's name, or take fine-tuning out.",
  ]);
});

const NO_CUT =
  "does not fit vgg16: the base has no layer 'blok4_pool'. Did you mean 'block4_pool'? It can end after block1_pool, block2_pool, " +
  'block3_pool, block4_pool, block5_pool.';
const NO_DEPTH =
  "does not fit vgg16: the base has no layer or block 'blok5'. Did you mean 'block5'? Its blocks are block1, block2, block3, block4, " +
  "block5; a layer's name, a number of last layers, last_block and all are valid too.";

test('misspelt layers are refused together, each where it is written, with the nearest name and the valid ones', () => {
  expect(mistakes({ base: { ...TUNED, ...VGG, cut: 'blok4_pool', 'fine_tune.unfreeze': 'blok5' } })).toEqual([
    `base["cut"]: ${NO_CUT}`,
    `base["fine_tune.unfreeze"]: ${NO_DEPTH}`,
  ]);
});

test.each<[string, Partial<SweepSpec>, string[]]>([
  [
    'a value of a grid',
    {
      parameters: [
        values('cut', 'block4_pool', 'blok4_pool'),
        values('fine_tune.unfreeze', 'blok5', 'block4_conv1', 4),
      ],
    },
    ['parameters[0].values[1]', 'parameters[1].values[0]'],
  ],
  [
    'a drawn value',
    { strategy: 'random', maxRuns: 12, parameters: [values('cut', '', 'blok4_pool'), range('head.units', 1, 64)] },
    ['parameters[0].values[1]'],
  ],
  [
    'a conditional value',
    {
      parameters: [
        values('fine_tune.enabled', true, false),
        when(values('fine_tune.unfreeze', 'last_block', 'blok5'), 'fine_tune.enabled', true),
      ],
    },
    ['parameters[1].values[1]'],
  ],
  [
    'a listed variant',
    { strategy: 'list', variants: [{ cut: 'block4_pool' }, { cut: 'blok4_pool' }, { 'fine_tune.unfreeze': 99 }] },
    ['variants[1]["cut"]', 'variants[2]["fine_tune.unfreeze"]'],
  ],
  [
    'a listed variant whose base is another one',
    { strategy: 'list', variants: [{ cut: 'block4_pool' }, { backbone: 'resnet50', cut: 'block4_pool' }] },
    ['variants[1]["cut"]'],
  ],
])('%s that no run can be trained with is refused by its path', (_name, change, paths) => {
  expect(fields({ base: { ...TUNED, ...VGG }, ...change })).toEqual(paths);
});

test('distinguishes a depth above the cut from a misspelt one', () => {
  expect(mistakes({ base: { ...TUNED, ...VGG, cut: 'block3_pool', 'fine_tune.unfreeze': 'block5_conv1' } })).toEqual([
    "base[\"fine_tune.unfreeze\"]: does not fit vgg16 cut at block3_pool: 'block5_conv1' lies above the cut 'block3_pool', where the " +
      "base ends. Its blocks are block1, block2, block3; a layer's name, a number of last layers, last_block and all are valid too.",
  ]);
});

test('a cut beside a shortcut is refused with the nearest layer below it', () => {
  expect(mistakes({ base: { backbone: 'resnet50', cut: 'conv4_block2_1_relu' } })).toEqual([
    "base[\"cut\"]: does not fit resnet50: the base can't end after 'conv4_block2_1_relu': a branch goes past it. The nearest layer " +
      "below it that can end a base is 'conv4_block1_out'.",
  ]);
});

test('a value that fits one backbone of a grid is accepted, and its other runs are infeasible', () => {
  const parameters = [values('backbone', 'vgg16', 'resnet50'), values('cut', 'block4_pool', 'conv4_block6_out')];
  expect(mistakes({ parameters })).toEqual([]);
  const runs = ['block4_pool', 'conv4_block6_out'].map((cut, index) => ({
    runId: cut,
    index,
    config: compileRunConfig({ ...VGG, cut }),
  }));
  expect(infeasibleRuns(runs, null).map(({ runId }) => runId)).toEqual(['conv4_block6_out']);
});

test('layers that only published weights have are refused for random ones; a file may have them', () => {
  const base = { backbone: 'efficientnet_b0', cut: 'rescaling_1' };
  expect(fields({ base: { ...base, weights: 'random' } })).toEqual(['base["cut"]']);
  expect(fields({ base: { ...base, weights: 'imagenet' } })).toEqual([]);
  expect(fields({ base: { ...base, weights: '/weights/own.h5' } })).toEqual([]);
  expect(fields({ base: { ...base, weights: '/weights/own.h5', cut: 'rescaling_2' } })).toEqual(['base["cut"]']);
});

test('ten thousand runs with named layers are checked within seconds', () => {
  const parameters = [
    values('backbone', ...BACKBONE_NAMES),
    values('fine_tune.unfreeze', 'last_block', 3, 4),
    range('image_size', 71, 400),
  ];
  const began = performance.now();
  expect(fields({ base: TUNED, parameters, strategy: 'random', maxRuns: 10_000 }).length).toBeGreaterThan(0);
  expect(performance.now() - began).toBeLessThan(20_000);
});

test('a depth is not refused while it trains with one of the cuts, or for a cut that its base lacks', () => {
  const base = { ...TUNED, ...VGG, 'fine_tune.unfreeze': 1 };
  expect(mistakes({ base, parameters: [values('cut', 'block3_conv3', 'block3_pool')] })).toEqual([]);
  expect(mistakes({ base, parameters: [values('cut', 'block3_pool')] })).toHaveLength(1);
  // The runs of resnet50 are INFEASIBLE by their cut.
  expect(
    mistakes({ base: { ...base, cut: 'block4_conv3' }, parameters: [values('backbone', 'vgg16', 'resnet50')] }),
  ).toEqual([]);
  // The same for the default depth.
  const cuts = values('cut', 'conv4_block6_out', 'conv1_pad');
  expect(mistakes({ base: { ...TUNED, backbone: 'resnet50' }, parameters: [cuts] })).toEqual([]);
});
