import { expect, test } from 'vitest';
import { previewSweep } from '../../../services/core/planner/preview-sweep.ts';
import { clusterOf } from './support/plan-inputs.ts';
import { PLAIN_SPEC, values } from './support/specs.ts';

test('makes one stream of each augmentation, names it, and forecasts its layers', () => {
  const spec = {
    ...PLAIN_SPEC,
    base: { method: 'augmented', epochs: 10 },
    parameters: [
      values('augmentation.mixup_alpha', 0, 0.2),
      values('augmentation.rand_augment_ops', 0, 2),
      values('head.units', 0, 64),
    ],
  };
  const heads = previewSweep(spec, clusterOf(1), null).tasks.filter(({ stage }) => stage === 'HEAD');
  expect(heads.map(({ description }) => description)).toEqual(
    ['', ' (RandAugment 2 × 0.5)', ' (MixUp 0.2)', ' (RandAugment 2 × 0.5, MixUp 0.2)'].map(
      (layers) =>
        `2 heads together on one augmented stream${layers} through efficientnet_lite0, batch 32, up to 10 epochs`,
    ),
  );
  const [plain = NaN, drawn = NaN] = heads.map(({ expectedSeconds }) => expectedSeconds);
  expect(drawn).toBeGreaterThan(plain);
});

test('names colours and the probability of mixing', () => {
  const colours = { 'augmentation.saturation': 0.1, 'augmentation.hue': 0.05 };
  const mixed = { 'augmentation.mixup_alpha': 0.2, 'augmentation.cutmix_alpha': 1 };
  const base = { method: 'augmented', ...colours, ...mixed, 'augmentation.mixup_probability': 0.5 };
  const { tasks } = previewSweep({ ...PLAIN_SPEC, base, parameters: [] }, clusterOf(1), null);
  const head = tasks.find(({ stage }) => stage === 'HEAD');
  expect(head?.description).toContain('(saturation 0.1, hue 0.05, MixUp 0.2 with p 0.5, CutMix 1)');
});
