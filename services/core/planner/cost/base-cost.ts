import type { LayerInfo } from '../../network/layer-graph.ts';
import { BACKBONE_TABLE } from './backbone-table.ts';

interface Block {
  readonly name: string;
  readonly layerCount: number;
  /** Of one image of 224 pixels, as is what follows. */
  readonly gflop: number;
  readonly valueCount: number;
  readonly weightCount: number;
  readonly outputSize: number;
  readonly channels: number;
}

/** A place in a base: after so many whole blocks, and a part (0 to below 1) of the next one. */
export interface BasePoint {
  readonly blockCount: number;
  readonly part: number;
}

/** What the layers between two points of a base cost for one image. */
export interface BaseCost {
  /** 10⁹ operations, 2 per multiply-add. */
  readonly gflop: number;
  /** Values that all layers put out together. */
  readonly valueCount: number;
  /** Values of the layer that puts out most, estimated as its block's mean. */
  readonly largestValueCount: number;
  readonly weightCount: number;
}

export interface OutputShape {
  /** Height and width. */
  readonly size: number;
  readonly channels: number;
}

const TABLE_SIZE = 224;
const MILLION = 1e6;

const BASES = parseTable(BACKBONE_TABLE);

export const BASE_INPUT: BasePoint = { blockCount: 0, part: 0 };

function parseTable(text: string): ReadonlyMap<string, readonly Block[]> {
  const bases = new Map<string, Block[]>();
  let blocks: Block[] = [];
  for (const line of text.trim().split('\n')) {
    const [name = '', ...numbers] = line.trim().split(' ');
    const [layerCount = 0, gflop = 0, values = 0, weights = 0, outputSize = 0, channels = 0] = numbers.map(Number);
    if (numbers.length === 0) bases.set(name, (blocks = []));
    else {
      const counts = { valueCount: values * MILLION, weightCount: weights * MILLION };
      blocks.push({ name, layerCount, gflop, ...counts, outputSize, channels });
    }
  }
  return bases;
}

function blocksOf(backbone: string): readonly Block[] {
  const blocks = BASES.get(backbone);
  if (blocks === undefined) throw new RangeError(`The cost table has no backbone '${backbone}'.`);
  return blocks;
}

/** Where the whole base ends. */
export function endOfBase(backbone: string): BasePoint {
  return { blockCount: blocksOf(backbone).length, part: 0 };
}

/** The point after a layer, by the base's real layers; null: the whole base. An unknown name is the whole base. */
export function pointAfter(layers: readonly LayerInfo[], cut: string | null): BasePoint {
  const index = cut === null ? layers.length - 1 : layers.findIndex(({ name }) => name === cut);
  const layer = layers[index] ?? layers.at(-1);
  if (layer === undefined) return BASE_INPUT;
  const names = [...new Set(layers.map(({ block }) => block))];
  const inBlock = layers.filter(({ block }) => block === layer.block);
  const place = inBlock.findIndex(({ name }) => name === layer.name) + 1;
  const blockCount = names.indexOf(layer.block);
  return place === inBlock.length
    ? { blockCount: blockCount + 1, part: 0 }
    : { blockCount, part: place / inBlock.length };
}

/** As `pointAfter`, before the layers are known: to the end of the block that the name tells. */
export function pointAfterName(backbone: string, cut: string | null): BasePoint {
  if (cut === null) return endOfBase(backbone);
  const index = blockIndexByName(blocksOf(backbone), cut);
  return index < 0 ? endOfBase(backbone) : { blockCount: index + 1, part: 0 };
}

/**
 * Where the frozen part of a fine-tuning ends, before the layers are known: `unfreeze` is a number of last layers, the name
 * of a block or of a layer (its block is taken), `last_block` or `all`.
 */
export function pointBelowUnfreeze(backbone: string, cut: string | null, unfreeze: string): BasePoint {
  const blocks = blocksOf(backbone).slice(0, Math.ceil(pointAfterName(backbone, cut).blockCount));
  if (unfreeze === 'all') return BASE_INPUT;
  if (/^\d+$/.test(unfreeze)) return pointBelowLayers(blocks, Number(unfreeze));
  const index = unfreeze === 'last_block' ? blocks.length - 1 : blockIndexByName(blocks, unfreeze);
  return { blockCount: Math.max(0, index < 0 ? blocks.length - 1 : index), part: 0 };
}

function pointBelowLayers(blocks: readonly Block[], layerCount: number): BasePoint {
  let left = layerCount;
  for (let index = blocks.length - 1; index >= 0; index -= 1) {
    const count = blocks[index]?.layerCount ?? 0;
    if (left < count) return { blockCount: index, part: (count - left) / count };
    left -= count;
    if (left === 0) return { blockCount: index, part: 0 };
  }
  return BASE_INPUT;
}

/** The block with this name, or the one whose name the layer's begins with (of several the longest). */
function blockIndexByName(blocks: readonly Block[], name: string): number {
  let found = -1;
  for (const [index, block] of blocks.entries()) {
    const matches = name === block.name || name.startsWith(block.name);
    if (matches && block.name.length > (blocks[found]?.name.length ?? 0)) found = index;
  }
  return found;
}

/** What an image of `imageSize` pixels costs between two points. Arithmetic and values grow with the number of pixels. */
export function costBetween(backbone: string, imageSize: number, from: BasePoint, to: BasePoint): BaseCost {
  const scale = (imageSize / TABLE_SIZE) ** 2;
  let gflop = 0;
  let valueCount = 0;
  let largestValueCount = 0;
  let weightCount = 0;
  for (const [index, block] of blocksOf(backbone).entries()) {
    const share = shareOf(index, to) - shareOf(index, from);
    if (share <= 0) continue;
    gflop += share * block.gflop * scale;
    valueCount += share * block.valueCount * scale;
    weightCount += share * block.weightCount;
    largestValueCount = Math.max(largestValueCount, (block.valueCount * scale) / block.layerCount);
  }
  return { gflop, valueCount, largestValueCount, weightCount };
}

/** Part of a block that lies below a point. */
function shareOf(index: number, point: BasePoint): number {
  if (index < point.blockCount) return 1;
  return index === point.blockCount ? point.part : 0;
}

/** Shape of the output at a point; within a block that of the block's input, with the block's channels. */
export function outputShapeAt(backbone: string, imageSize: number, point: BasePoint): OutputShape {
  const blocks = blocksOf(backbone);
  const below = blocks[point.blockCount - 1];
  const channels = point.part > 0 ? blocks[point.blockCount]?.channels : below?.channels;
  const size = below === undefined ? imageSize : Math.max(1, Math.floor((below.outputSize * imageSize) / TABLE_SIZE));
  return { size, channels: channels ?? 3 };
}
