import type { SplitFractions } from './sweep/sweep-spec.ts';

/**
 * Returns the end positions of train and validation where `count` files of a class are divided into train, validation and test, in
 * this order.
 */
export function splitBounds(count: number, { train, validation, test }: SplitFractions): readonly [number, number] {
  const total = train + validation + test;
  const testCount = share(count, test / total);
  const validationCount = Math.min(share(count, validation / total), count - testCount);
  return [count - testCount - validationCount, count - testCount];
}

/** Returns the number of files of a split; at least one if its fraction is positive. */
function share(count: number, fraction: number): number {
  return fraction === 0 ? 0 : Math.min(count, Math.max(1, Math.round(count * fraction)));
}
