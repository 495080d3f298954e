import { shuffleStream } from '../../core/rng/stream.ts';

export interface EpochOrder {
  readonly dataSeed: number;
  /** From 1. */
  readonly epoch: number;
}

export interface BatchesOptions {
  /** Images of the split. */
  readonly count: number;
  readonly batchSize: number;
  /** null: manifest order, as for validation and test. */
  readonly order: EpochOrder | null;
}

/**
 * Image numbers of an epoch's batches, in order. The last batch has what is left. The same order for all runs with the same
 * data seed, whatever their batch size.
 */
export function epochBatches({ count, batchSize, order }: BatchesOptions): readonly Uint32Array[] {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new RangeError(`batchSize must be a whole number of at least 1; received ${batchSize}.`);
  }
  const indices =
    order === null
      ? Uint32Array.from({ length: count }, (_, index) => index)
      : shuffleStream(order.dataSeed, order.epoch).permutation(count);
  const batches: Uint32Array[] = [];
  for (let start = 0; start < count; start += batchSize) batches.push(indices.subarray(start, start + batchSize));
  return batches;
}
