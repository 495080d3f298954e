import { didYouMean } from '../text/nearest-name.ts';
import type { LayerInfo } from './layer-graph.ts';

/** Split of a base in fine-tuning. */
export interface UnfreezePoint {
  /** Lowest layer that trains. It and all layers above, up to the cut, train (except BatchNormalization). */
  readonly trainableFrom: string;
  /** Layer after which the frozen prefix ends, whose outputs can be stored; null: training starts from the pixels. */
  readonly prefixCut: string | null;
}

/** A layer, block or number that does not fit the base. */
export class UnknownLayerError extends Error {
  /** The hyper-parameter that named it. */
  readonly parameter: 'cut' | 'fine_tune.unfreeze';
  readonly value: string;
  /** Description of the mistake and its remedy, without the parameter's name. */
  readonly detail: string;

  constructor(parameter: 'cut' | 'fine_tune.unfreeze', value: string, detail: string) {
    super(`${parameter}: ${detail}`);
    this.name = 'UnknownLayerError';
    this.parameter = parameter;
    this.value = value;
    this.detail = detail;
  }
}

/** Thrown when the layers to be trained have no trainable weights. */
export class NothingToTrainError extends UnknownLayerError {}

/** Upper bound of a base's layers; misspelt names are compared with all of them. */
const MAX_LAYERS = 1_000;

/** Maximum number of names in a list of an error message. */
const MAX_LISTED_NAMES = 20;

/**
 * Returns the layers of a base up to and including its cut.
 *
 * @param cut null: all layers.
 * @throws {UnknownLayerError} when the base has no such layer, or can't be split after it
 */
export function layersUpTo(layers: readonly LayerInfo[], cut: string | null): readonly LayerInfo[] {
  if (cut === null) return layers;
  const index = layers.findIndex((layer) => layer.name === cut);
  const layer = layers[index];
  if (layer === undefined) {
    const splittable = layers.filter((one) => one.splittable).map(({ name }) => name);
    const hint = `${didYouMean(cut, splittable, MAX_LAYERS)} It can end after ${listed(blockEnds(layers))}.`;
    throw new UnknownLayerError('cut', cut, `the base has no layer '${cut}'.${hint}`);
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
 * @throws {UnknownLayerError} when the base up to its cut has no such layer or block, or fewer layers
 * @throws {NothingToTrainError} when no weights in these layers can train
 */
export function resolveUnfreeze(layers: readonly LayerInfo[], cut: string | null, unfreeze: string): UnfreezePoint {
  const base = layersUpTo(layers, cut);
  const index = lowestTrainable(layers, base, unfreeze);
  const lowest = base[index];
  if (lowest === undefined) throw new UnknownLayerError('fine_tune.unfreeze', unfreeze, 'the base has no layers.');
  if (base.slice(index).every(({ untrainable }) => untrainable === true)) {
    throw new NothingToTrainError('fine_tune.unfreeze', unfreeze, nothingToTrain(base, unfreeze));
  }
  const prefix = base.slice(0, index).findLast((layer) => layer.splittable);
  return { trainableFrom: lowest.name, prefixCut: prefix?.name ?? null };
}

function lowestTrainable(layers: readonly LayerInfo[], base: readonly LayerInfo[], unfreeze: string): number {
  if (unfreeze === 'all') return 0;
  if (unfreeze === 'last_block') return firstOfBlock(base, base.at(-1)?.block ?? '');
  if (/^\d+$/.test(unfreeze)) return base.length - layerCount(base, unfreeze);
  const byLayer = base.findIndex((layer) => layer.name === unfreeze);
  if (byLayer >= 0) return byLayer;
  const byBlock = firstOfBlock(base, unfreeze);
  if (byBlock >= 0) return byBlock;
  const blocks = blocksOf(base);
  const isAboveCut = layers.some(({ name, block }) => name === unfreeze || block === unfreeze);
  const hint = isAboveCut
    ? ''
    : didYouMean(unfreeze, [...blocks, 'last_block', 'all', ...base.map(({ name }) => name)], MAX_LAYERS);
  throw new UnknownLayerError(
    'fine_tune.unfreeze',
    unfreeze,
    (isAboveCut
      ? `'${unfreeze}' lies above the cut '${base.at(-1)?.name ?? ''}', where the base ends.`
      : `the base has no layer or block '${unfreeze}'.${hint}`) +
      ` Its blocks are ${listed(blocks)}; a layer's name, a number of last layers, last_block and all are valid too.`,
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

function nothingToTrain(base: readonly LayerInfo[], unfreeze: string): string {
  const last = base.findLastIndex(({ untrainable }) => untrainable !== true);
  const names = base.slice(last + 1).map(({ name }) => name);
  const described = names.length === 1 ? `layer is` : `layers are`;
  return (
    `it unfreezes nothing that could train: the last ${described} ${listed(names)}, without weights to train; received ` +
    `'${unfreeze}'. Give at least ${names.length + 1}, last_block or a block's name, or take fine-tuning out.`
  );
}

function firstOfBlock(base: readonly LayerInfo[], block: string): number {
  return base.findIndex((layer) => layer.block === block);
}

function blocksOf(base: readonly LayerInfo[]): readonly string[] {
  return [...new Set(base.map(({ block }) => block))];
}

/** The last layer of each block at which a base may end. */
function blockEnds(layers: readonly LayerInfo[]): readonly string[] {
  const ends = new Map(layers.filter(({ splittable }) => splittable).map(({ name, block }) => [block, name]));
  return [...ends.values()];
}

function listed(names: readonly string[]): string {
  const shown = names.slice(-MAX_LISTED_NAMES).join(', ');
  return names.length > MAX_LISTED_NAMES ? `${shown} and others` : shown;
}
