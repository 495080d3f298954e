import { describe, expect, it } from 'vitest';
import type { AugmentationConfig } from '../../../../services/core/run-config.ts';
import { compileRunConfig } from '../../../../services/core/search-space/compile.ts';
import { drawMix, mixLabels } from '../../../../services/trainer/augmentation/mix.ts';

const SIZE = 32;
const INDICES = [7, 3, 12, 9];

function configOf(parameters: Readonly<Record<string, number>>): AugmentationConfig {
  const { augmentation } = compileRunConfig({ method: 'augmented', ...parameters });
  if (augmentation === null) throw new Error('unreachable: the method is augmented');
  return augmentation;
}

/** Returns how often batches are mixed by MixUp, by CutMix and not at all. */
function counts(parameters: Readonly<Record<string, number>>): readonly number[] {
  const config = configOf(parameters);
  const draws = Array.from({ length: 1000 }, (_, index) => drawMix(config, { epoch: 1, indices: [index] }, SIZE));
  const mixups = draws.filter((draw) => draw?.boxes === null).length;
  const cutmixes = draws.filter((draw) => draw !== null && draw.boxes !== null).length;
  return [mixups, cutmixes, draws.length - mixups - cutmixes];
}

describe('drawMix', () => {
  const both = { 'augmentation.mixup_alpha': 0.2, 'augmentation.cutmix_alpha': 1 };

  it('draws the same for a batch at any time, and something else in another epoch or by another seed', () => {
    const config = configOf(both);
    const first = drawMix(config, { epoch: 1, indices: INDICES }, SIZE);
    expect(drawMix(config, { epoch: 1, indices: INDICES }, SIZE)).toEqual(first);
    expect(drawMix(config, { epoch: 2, indices: INDICES }, SIZE)).not.toEqual(first);
    expect(drawMix({ ...config, seed: 1 }, { epoch: 1, indices: INDICES }, SIZE)).not.toEqual(first);
    expect([...(first?.partners ?? [])].sort()).toEqual([0, 1, 2, 3]);
  });

  it('draws boxes within the image, whose area is the share of the partner', () => {
    const draw = drawMix(configOf({ 'augmentation.cutmix_alpha': 1 }), { epoch: 1, indices: INDICES }, SIZE);
    for (const [index, { left, right, top, bottom }] of (draw?.boxes ?? []).entries()) {
      expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
      expect(Math.max(right, bottom)).toBeLessThanOrEqual(SIZE);
      expect(1 - (draw?.shares[index] ?? NaN)).toBeCloseTo(((right - left) * (bottom - top)) / SIZE ** 2, 9);
    }
    expect(draw?.boxes).toHaveLength(4);
  });

  it('chooses by the probabilities, scaled to a sum of at most 1', () => {
    expect(drawMix(configOf({}), { epoch: 1, indices: INDICES }, SIZE)).toBeNull();
    expect(counts({ 'augmentation.mixup_alpha': 0.2 })).toEqual([1000, 0, 0]);
    const halves = counts(both);
    expect(halves[2]).toBe(0);
    expect(Math.abs((halves[0] ?? 0) - 500)).toBeLessThan(80);
    const rare = { 'augmentation.mixup_probability': 0.2, 'augmentation.cutmix_probability': 0.3 };
    const [mixups = 0, cutmixes = 0, none = 0] = counts({ ...both, ...rare });
    expect(Math.abs(mixups - 200)).toBeLessThan(64);
    expect(Math.abs(cutmixes - 300)).toBeLessThan(72);
    expect(Math.abs(none - 500)).toBeLessThan(80);
  });
});

describe('mixLabels', () => {
  it('puts the label with the larger share first; of equal ones, the lower', () => {
    const mixed = mixLabels([2, 0, 1, 1], { partners: [1, 2, 3, 0], shares: [0.25, 1, 0.5, 0.5], boxes: null });
    expect(mixed).toEqual({
      labels: [0, 0, 1, 1],
      mix: { others: [2, 1, 1, 2], shares: [0.75, 1, 0.5, 0.5] },
    });
  });
});
