import { expect, test } from 'vitest';
import { infeasibleRuns } from '../../../../services/core/planner/plan-sweep.ts';
import { compileRunConfig } from '../../../../services/core/search-space/compile.ts';
import { lastUntrainableLayers } from '../../../../services/core/validation/untrainable-layers.ts';
import { validateSweepSpec } from '../../../../services/core/validation/validate-spec.ts';
import type { Parameters, SweepSpec } from '../../../../services/core/sweep/sweep-spec.ts';
import { buildLayerGraph } from '../../../../services/core/network/layer-graph.ts';
import type { LayerGraph } from '../../../../services/core/network/layer-graph.ts';
import { isTrained } from '../../../../services/core/network/layer-shapes.ts';
import { backboneDefinition, BACKBONE_NAMES } from '../../../../services/core/network/backbones.ts';
import { PLAIN_SPEC, values } from '../../core/support/specs.ts';

const TUNED: Parameters = { 'fine_tune.enabled': true };

function graphOf(name: string): LayerGraph {
  return buildLayerGraph(name, backboneDefinition(name).layers(224), 224);
}

function mistakes(change: Partial<SweepSpec>): string[] {
  return validateSweepSpec({ ...PLAIN_SPEC, ...change }).map(({ field, description }) => `${field}: ${description}`);
}

test.each(BACKBONE_NAMES)('the last layers of %s without weights to train are those of the trainer', (backbone) => {
  const { layers, weights, infos } = graphOf(backbone);
  const last = weights.findLastIndex((specs) => specs.some(isTrained));
  const names = layers.slice(last + 1).map(({ name }) => name);
  expect(lastUntrainableLayers(backbone)).toEqual(names);
  expect(infos.map(({ untrainable }) => untrainable !== true)).toEqual(weights.map((specs) => specs.some(isTrained)));
  // What is refused when planned is exactly what would train nothing.
  const fieldsOf = (unfreeze: string | number): string[] =>
    mistakes({ base: { ...TUNED, backbone, 'fine_tune.unfreeze': unfreeze } });
  for (const unfreeze of [1, names.length, String(names.length), ...names]) expect(fieldsOf(unfreeze)).toHaveLength(1);
  for (const unfreeze of [names.length + 1, layers[last]?.name ?? '', 'last_block', 'all']) {
    expect(fieldsOf(unfreeze)).toEqual([]);
  }
});

test('unfreezing layers without weights is refused where it is written, for the bases that have it', () => {
  const told =
    "unfreezes nothing that could train: the last layers of mobilenet_v2 are Conv_1_bn, out_relu, without weights to train; received '2'. " +
    "Give at least 3, last_block or a block's name, or take fine-tuning out.";
  expect(
    mistakes({
      base: { ...TUNED, weights: 'random' },
      parameters: [values('backbone', 'vgg16', 'mobilenet_v2'), values('fine_tune.unfreeze', 2, 4)],
    }),
  ).toEqual([`parameters[1]: ${told}`]);
  const variants = [{ backbone: 'mobilenet_v2', 'fine_tune.unfreeze': 2 }];
  expect(mistakes({ base: TUNED, strategy: 'list', variants })).toEqual([`variants[0]["fine_tune.unfreeze"]: ${told}`]);
  // Without fine-tuning it has no part in the run.
  expect(mistakes({ base: TUNED, parameters: [values('backbone', 'vgg16')] })).toEqual([]);
});

test('a cut base whose unfrozen layers have no weights makes the run infeasible when its layers are known', () => {
  const { infos } = graphOf('vgg16');
  const run = (unfreeze: string): { runId: string; index: number; config: ReturnType<typeof compileRunConfig> } => ({
    runId: unfreeze,
    index: 0,
    config: compileRunConfig({ ...TUNED, backbone: 'vgg16', cut: 'block3_pool', 'fine_tune.unfreeze': unfreeze }),
  });
  const runs = ['1', '2', 'block3_pool', 'block3', 'last_block'].map(run);
  const weights = [{ backbone: 'vgg16', weights: 'imagenet', digest: 'd', layers: infos }];
  expect(mistakes({ base: { ...TUNED, backbone: 'vgg16', cut: 'block3_pool', 'fine_tune.unfreeze': 1 } })).toEqual([]);
  expect(infeasibleRuns({ runs, weights })).toEqual(
    ['1', 'block3_pool'].map((runId) => ({
      runId,
      reason:
        `fine_tune.unfreeze: '${runId}' unfreezes nothing that could train: no layer from 'block3_pool' on has weights to train. ` +
        'Unfreeze a lower layer.',
    })),
  );
});
