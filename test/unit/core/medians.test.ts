import { describe, expect, it } from 'vitest';
import { explainedRanks } from '../../../services/core/statistics/explained-ranks.ts';
import { medianInterval } from '../../../services/core/statistics/median-interval.ts';
import { quantile } from '../../../services/core/statistics/quantile.ts';

/** The values 1 … n, so that an order statistic is its own rank. */
const ranks = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('the interval of a median', () => {
  // Ranks and coverages by scipy.stats.binom(n, 0.5) of SciPy 1.16.
  it.each([
    [6, 1, 0.968_75],
    [9, 2, 0.960_937_5],
    [12, 3, 0.961_425_781_25],
    [20, 6, 0.958_610_534_667_968_8],
    [40, 14, 0.961_522_691_715_799_7],
    [200, 86, 0.959_962_808_386_600_4],
    [1000, 469, 0.953_708_802_646_501_9],
    [3000, 1446, 0.953_433_550_617_916_9],
  ])('of %d values is from the %dth smallest to as many below the largest', (count, rank, coverage) => {
    const found = medianInterval(ranks(count).reverse());
    expect(found.interval).toEqual({ low: rank, high: count + 1 - rank });
    expect(found.coverage).toBeCloseTo(coverage, 9);
    expect(found.median).toBe((count + 1) / 2);
  });

  it('spans all values if they are too few for 95 %, and says what that covers', () => {
    expect(medianInterval([3, 1, 2])).toEqual({ median: 2, interval: { low: 1, high: 3 }, coverage: 0.75 });
    expect(medianInterval([5, 1, 2, 3, 4]).coverage).toBeCloseTo(0.9375, 12);
    expect(medianInterval([7])).toEqual({ median: 7, interval: null, coverage: 0 });
    expect(() => medianInterval([])).toThrow(RangeError);
  });
});

describe('the part of the ranks that groups explain', () => {
  it('is η² of the H of scipy.stats.kruskal, with ties', () => {
    const groups = [
      [1, 2, 3, 4.5],
      [2, 6, 7],
      [8, 9, 9, 10, 3],
    ];
    expect(explainedRanks(groups)).toBeCloseTo(0.438_843_083_366_055_1, 12);
  });

  it('depends on the order of the values alone', () => {
    expect(
      explainedRanks([
        [1, 2],
        [3, 4],
        [5, 1e9],
      ]),
    ).toBe(
      explainedRanks([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
    );
  });

  it('is unknown without groups to compare, and 0 for groups that do not differ', () => {
    expect(explainedRanks([[1, 2, 3]])).toBeNull();
    expect(explainedRanks([[1], [2]])).toBeNull();
    expect(
      explainedRanks([
        [1, 1],
        [1, 1],
      ]),
    ).toBeNull();
    expect(
      explainedRanks([
        [1, 4],
        [2, 3],
      ]),
    ).toBe(0);
  });
});

it('interpolates quantiles as NumPy does', () => {
  expect(quantile([1, 2, 4, 8], 0.25)).toBe(1.75);
  expect(quantile([1, 2, 4, 8], 0.9)).toBeCloseTo(6.8, 12);
  expect(quantile([], 0.5)).toBeNaN();
});
