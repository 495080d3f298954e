import { expect } from 'vitest';

/** Expects that many draws reach both bounds, nearly, and pass neither by more than that. */
export function expectRange(values: readonly number[], [low, high]: readonly [number, number]): void {
  const slack = 0.005 * (high - low);
  expect(Math.abs(Math.min(...values) - low)).toBeLessThan(slack);
  expect(Math.abs(Math.max(...values) - high)).toBeLessThan(slack);
}
