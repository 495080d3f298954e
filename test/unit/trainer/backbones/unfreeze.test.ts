import { describe, expect, it } from 'vitest';
import type { LayerInfo } from '../../../../services/core/task.ts';
import { vgg16Layers } from '../../../../services/trainer/backbones/vgg.ts';
import { resolveUnfreeze, UnfreezeError } from '../../../../services/trainer/backbones/unfreeze.ts';

const VGG: readonly LayerInfo[] = vgg16Layers().map(({ name, block }) => ({ name, block, splittable: true }));

describe('resolveUnfreeze', () => {
  it.each([
    ['4', null, 'block5_conv1'],
    ['1', null, 'block5_pool'],
    ['18', null, 'block1_conv1'],
    ['4', 'block4_pool', 'block4_conv1'],
    ['last_block', null, 'block5_conv1'],
    ['last_block', 'block3_conv2', 'block3_conv1'],
    ['block4', null, 'block4_conv1'],
    ['block5_conv2', null, 'block5_conv2'],
    ['all', null, 'block1_conv1'],
  ])('%s of a base cut at %s begins with %s', (unfreeze, cut, expected) => {
    expect(resolveUnfreeze(VGG, unfreeze, cut)).toBe(expected);
  });

  it.each([
    ['0', null],
    ['19', null],
    ['block9', null],
    ['', null],
    ['-1', null],
    ['block5', 'block4_pool'],
  ])('refuses "%s" of a base cut at %s and lists the blocks', (unfreeze, cut) => {
    expect(() => resolveUnfreeze(VGG, unfreeze, cut)).toThrow(UnfreezeError);
    expect(() => resolveUnfreeze(VGG, unfreeze, cut)).toThrow(/block1, block2, block3, block4/);
  });
});
