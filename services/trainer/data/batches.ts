import { shuffleStream } from '../../core/rng/stream.ts';

export interface EpochOrder {
  readonly dataSeed: number;
  /** One-based epoch number. */
  readonly epoch: number;
}

export interface BatchesOptions {
  /** Number of images in the split. */
  readonly count: number;
  readonly batchSize: number;
  /** null keeps manifest order, as for validation and test. */
  readonly order: EpochOrder | null;
}

/**
 * Returns the image indices of an epoch's batches. The last batch holds the remainder. The order depends on the data
 * seed and the epoch only, so runs with different batch sizes see the same sequence.
 *
 * @throws {RangeError} when `batchSize` is not a positive integer.
 */
export function epochBatches({ count, batchSize, order }: BatchesOptions): readonly Uint32Array[] {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new RangeError(`batchSize must be an integer of at least 1; received ${batchSize}.`);
  }
  const indices =
    order === null
      ? Uint32Array.from({ length: count }, (_, index) => index)
      : shuffleStream(order.dataSeed, order.epoch).permutation(count);
  const batches: Uint32Array[] = [];
  for (let start = 0; start < count; start += batchSize) batches.push(indices.subarray(start, start + batchSize));
  return batches;
}
