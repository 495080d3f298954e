import type { HeadConfig, OptimizerConfig } from '../run-config.ts';
import { denseShapes, slotNamesOf } from './head-variables.ts';

const FLOAT_BYTES = 4;
/** Values and slots of that many bytes are rounded up to whole pages of 2 MiB (`trainer/heads/native/head.cc`). */
const HUGE_PAGE_BYTES = 2 ** 21;
const HUGE_PAGES_FROM = 20 * HUGE_PAGE_BYTES;

/** A head that trains in a group. */
export interface GroupedHead {
  readonly head: HeadConfig;
  readonly optimizer: OptimizerConfig;
  /** Length of one image's features after pooling or flattening. */
  readonly featureCount: number;
  readonly classCount: number;
}

/**
 * Peak bytes that a group of heads adds to a trainer on a CPU: every value and its optimizer slots, the best epoch's values,
 * what a step keeps of a batch, and the one head being saved. Features and the base come on top.
 *
 * @param largestBatch images of the larger of training and validation batches
 */
export function headGroupBytes(heads: readonly GroupedHead[], largestBatch: number): number {
  const sizes = heads.map((head) => sizeOf(head, largestBatch));
  const total = sizes.reduce((sum, { kept }) => sum + kept, 0);
  return total + Math.max(0, ...sizes.map(({ whileSaved }) => whileSaved)) + sharedBytes(heads, largestBatch);
}

function sizeOf(
  { head, optimizer, featureCount, classCount }: GroupedHead,
  batch: number,
): { readonly kept: number; readonly whileSaved: number } {
  const layers = denseShapes(head, featureCount, classCount);
  const values = layers.reduce((sum, { inputCount, outputCount }) => sum + (inputCount + 1) * outputCount, 0);
  const slots = slotNamesOf(optimizer).length;
  // Sums, mask, activations, gradients and those turned; a kernel behind the first layer is turned as well.
  const perBatch = layers.reduce((sum, { outputCount }) => sum + 5 * batch * outputCount, 0);
  const turned = layers.slice(1).reduce((sum, { inputCount, outputCount }) => sum + inputCount * outputCount, 0);
  const droppedFeatures = layers.length === 1 && head.dropout > 0 ? 2 * batch * featureCount : 0;
  const trained = values * (1 + slots) * FLOAT_BYTES;
  const rounding = trained < HUGE_PAGES_FROM ? 0 : HUGE_PAGE_BYTES;
  return {
    kept: trained + rounding + (values + perBatch + turned + droppedFeatures) * FLOAT_BYTES,
    whileSaved: trained,
  };
}

/** The batch as TensorFlow gives it, as JavaScript gets it, and turned. */
function sharedBytes(heads: readonly GroupedHead[], batch: number): number {
  const features = new Set(heads.map(({ featureCount }) => featureCount));
  return [...features].reduce((sum, count) => sum + 3 * batch * count * FLOAT_BYTES, 0);
}
