import { describe, expect, it } from 'vitest';
import { epochBatches } from '../../../../services/trainer/data/batches.ts';

describe('epochBatches', () => {
  it('keeps the manifest order and the last partial batch when no order is given', () => {
    const batches = epochBatches({ count: 7, batchSize: 3, order: null });
    expect(batches.map((batch) => [...batch])).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  });

  it('shuffles each epoch differently, and equally for the same seed', () => {
    const order = (dataSeed: number, epoch: number): readonly number[] =>
      epochBatches({ count: 50, batchSize: 8, order: { dataSeed, epoch } }).flatMap((batch) => [...batch]);
    expect([...order(1, 1)].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(order(1, 1)).toEqual(order(1, 1));
    expect(order(1, 2)).not.toEqual(order(1, 1));
    expect(order(2, 1)).not.toEqual(order(1, 1));
  });

  it('uses the same order for all batch sizes', () => {
    const order = { dataSeed: 5, epoch: 3 };
    const flat = (batchSize: number): readonly number[] =>
      epochBatches({ count: 10, batchSize, order }).flatMap((batch) => [...batch]);
    expect(flat(3)).toEqual(flat(10));
  });

  it.each([0, -1, 1.5, NaN])('refuses batch size %d', (batchSize) => {
    expect(() => epochBatches({ count: 3, batchSize, order: null })).toThrow(RangeError);
  });
});
