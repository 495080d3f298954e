import { describe, expect, test } from 'vitest';
import type { Spending } from '../../../../services/core/stopping/budget.ts';
import { boundReached, freeSeconds } from '../../../../services/core/stopping/budget.ts';
import type { BudgetSpec } from '../../../../services/core/sweep/search-spec.ts';
import { ACCURACY, LOSS } from '../support/search-inputs.ts';

const unbounded: BudgetSpec = { slotSeconds: null, wallSeconds: null, target: null };

function spending(budget: Partial<BudgetSpec>, more: Partial<Spending> = {}): Spending {
  return {
    budget: { ...unbounded, ...budget },
    spentSeconds: 100,
    reservedSeconds: 50,
    wallSeconds: 60,
    best: null,
    ...more,
  };
}

describe('freeSeconds', () => {
  test('leaves what is neither spent nor committed', () => {
    expect(freeSeconds(spending({ slotSeconds: 400 }))).toBe(250);
    expect(freeSeconds(spending({ slotSeconds: 120 }))).toBe(0);
    expect(freeSeconds(spending({}))).toBe(Infinity);
  });
});

describe('boundReached', () => {
  test('is null without a bound, and below it', () => {
    expect(boundReached(ACCURACY, { ...spending({}), budget: null })).toBeNull();
    expect(boundReached(ACCURACY, spending({ slotSeconds: 101, wallSeconds: 61 }))).toBeNull();
    expect(boundReached(ACCURACY, spending({ wallSeconds: 10 }, { wallSeconds: null }))).toBeNull();
  });

  test('names the bound with its numbers', () => {
    expect(boundReached(ACCURACY, spending({ slotSeconds: 100 }))).toEqual({
      cause: 'BUDGET',
      reason: '100 of 100 slot-seconds are spent',
    });
    expect(boundReached(ACCURACY, spending({ wallSeconds: 60 }))).toEqual({
      cause: 'WALL_TIME',
      reason: '60 of 60 seconds have passed since the first lease',
    });
  });

  test('reaches a target of val_accuracy with the lower Wilson bound only', () => {
    const at = (value: number, imageCount: number, confidence = 0.9) => {
      const target = { value: 0.95, confidence };
      return boundReached(ACCURACY, spending({ target }, { best: { value, imageCount } }))?.cause ?? null;
    };
    // One-sided 90 %: 0.9577 of 960 in 1,000; scipy.stats.binomtest(960, 1000, alternative='greater').
    expect(at(0.96, 1000)).toBe('TARGET');
    expect(at(0.95, 1000)).toBeNull();
    expect(at(0.96, 200)).toBeNull();
    expect(at(0.96, 1000, 0.999)).toBeNull();
    expect(at(Number.NaN, 1000)).toBeNull();
  });

  test('compares other metrics as they are', () => {
    const at = (value: number) =>
      boundReached(LOSS, spending({ target: { value: 0.2, confidence: 0.9 } }, { best: { value, imageCount: 10 } }));
    expect(at(0.2)).toEqual({ cause: 'TARGET', reason: 'the best val_loss, 0.2, reaches 0.2' });
    expect(at(0.21)).toBeNull();
    expect(at(Number.NaN)).toBeNull();
  });
});
