import { didYouMean } from '../text/nearest-name.ts';
import type { LayerInfo } from '../network/layer-graph.ts';

export interface UnfreezePoint {
  /** Lowest layer that trains; it and all above it, up to the cut, train (except BatchNormalization). */
  readonly trainableFrom: string;
  /** Layer after which the frozen prefix ends, whose outputs can be stored; null: training starts from the pixels. */
  readonly prefixCut: string | null;
}

/** A layer, block or number that the base does not have; `parameter` is the hyper-parameter that named it. */
export class UnknownLayerError extends Error {
  readonly parameter: 'cut' | 'fine_tune.unfreeze';
  readonly value: string;

  constructor(parameter: 'cut' | 'fine_tune.unfreeze', value: string, detail: string) {
    super(`${parameter}: ${detail}`);
    this.name = 'UnknownLayerError';
    this.parameter = parameter;
    this.value = value;
  }
}

/**
 * The layers of a base up to and including its cut. Throws `UnknownLayerError` where there is no such layer, or where the
 * base can't be split after it.
 *
 * @param cut null: all layers.
 */
export function layersUpTo(layers: readonly LayerInfo[], cut: string | null): readonly LayerInfo[] {
  if (cut === null) return layers;
  const index = layers.findIndex((layer) => layer.name === cut);
  const names = layers.filter((layer) => layer.splittable).map((layer) => layer.name);
  const layer = layers[index];
  if (layer === undefined) {
    throw new UnknownLayerError('cut', cut, `the base has no layer '${cut}'.${hint(cut, names)}`);
  }
  if (!layer.splittable) {
    const before = layers.slice(0, index).findLast((candidate) => candidate.splittable);
    const advice = before === undefined ? '' : ` The nearest layer below it that can end a base is '${before.name}'.`;
    throw new UnknownLayerError('cut', cut, `the base can't end after '${cut}': a branch goes past it.${advice}`);
  }
  return layers.slice(0, index + 1);
}

/**
 * Finds what trains in fine-tuning and where the frozen prefix ends.
 *
 * @param layers of the whole base, in order.
 * @param cut layer the base ends with; null: its last one.
 * @param unfreeze a number of last layers ("4"), a layer's name, a block's name, `last_block` or `all`.
 * Throws `UnknownLayerError` where the base has no such layer or block, not so many layers, or no weights to train in them.
 */
export function resolveUnfreeze(layers: readonly LayerInfo[], cut: string | null, unfreeze: string): UnfreezePoint {
  const base = layersUpTo(layers, cut);
  const index = lowestTrainable(base, unfreeze);
  const lowest = base[index];
  if (lowest === undefined) throw new UnknownLayerError('fine_tune.unfreeze', unfreeze, 'the base has no layers.');
  if (base.slice(index).every(({ untrainable }) => untrainable === true)) {
    throw new UnknownLayerError(
      'fine_tune.unfreeze',
      unfreeze,
      `'${unfreeze}' unfreezes nothing that could train: no layer from '${lowest.name}' on has weights to train. Unfreeze a lower layer.`,
    );
  }
  const prefix = base.slice(0, index).findLast((layer) => layer.splittable);
  return { trainableFrom: lowest.name, prefixCut: prefix?.name ?? null };
}

function lowestTrainable(base: readonly LayerInfo[], unfreeze: string): number {
  if (unfreeze === 'all') return 0;
  if (unfreeze === 'last_block') return firstOfBlock(base, base.at(-1)?.block ?? '');
  if (/^\d+$/.test(unfreeze)) return base.length - layerCount(base, unfreeze);
  const byLayer = base.findIndex((layer) => layer.name === unfreeze);
  if (byLayer >= 0) return byLayer;
  const byBlock = firstOfBlock(base, unfreeze);
  if (byBlock >= 0) return byBlock;
  const names = [...new Set(base.flatMap((layer) => [layer.name, layer.block]))];
  throw new UnknownLayerError(
    'fine_tune.unfreeze',
    unfreeze,
    `the base has no layer or block '${unfreeze}'.${hint(unfreeze, [...names, 'last_block', 'all'])}`,
  );
}

function layerCount(base: readonly LayerInfo[], unfreeze: string): number {
  const count = Number(unfreeze);
  if (count >= 1 && count <= base.length) return count;
  throw new UnknownLayerError(
    'fine_tune.unfreeze',
    unfreeze,
    `the base has ${base.length} layers; received ${unfreeze}. Give a number from 1 to ${base.length}, or 'all'.`,
  );
}

function firstOfBlock(base: readonly LayerInfo[], block: string): number {
  return base.findIndex((layer) => layer.block === block);
}

function hint(name: string, names: readonly string[]): string {
  const near = didYouMean(name, names);
  return near === '' ? ` It has ${names.slice(-8).join(', ')}${names.length > 8 ? ' and others' : ''}.` : near;
}
