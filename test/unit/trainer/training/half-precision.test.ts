import { describe, expect, it } from 'vitest';
import { fromHalves, toHalves } from '../../../../services/trainer/checkpoints/half-precision.ts';

function roundTrip(values: Float32Array): Float32Array {
  const back = new Float32Array(values.length);
  fromHalves(toHalves(values), back);
  return back;
}

/** Returns the nearest number of half precision by search; on a tie, the one with the even last bit. */
function nearest(value: number, positive: Float32Array): number {
  const size = Math.abs(value);
  let low = 0;
  for (let step = 1 << 14; step > 0; step >>= 1) if ((positive[low + step] ?? Infinity) <= size) low += step;
  const below = size - (positive[low] ?? NaN);
  const above = (positive[low + 1] ?? Infinity) - size;
  const found = below < above || (below === above && low % 2 === 0) ? low : low + 1;
  return (value < 0 || Object.is(value, -0) ? -1 : 1) * (positive[found] ?? NaN);
}

describe('half precision', () => {
  it('keeps every number of its own', () => {
    const halves = Uint16Array.from({ length: 1 << 16 }, (_, half) => half).filter(
      (half) => ((half >> 10) & 0x1f) !== 0x1f,
    );
    const values = new Float32Array(halves.length);
    fromHalves(halves, values);
    expect(toHalves(values)).toEqual(halves);
    expect(values[1]).toBe(2 ** -24);
    expect(Math.max(...values.subarray(0, 0x7c00))).toBe(65_504);
  });

  it('rounds to the nearest, ties to even, including subnormal numbers', () => {
    const ties = Array.from(
      { length: 4000 },
      (_, index) => (1 + (2 * (index % 1000) + 1) / 2048) * 2 ** ((index % 40) - 25),
    );
    const near = ties.flatMap((value) => [value, -value, value * (1 + 2 ** -22), value * (1 - 2 ** -22)]);
    const values = Float32Array.from([...near, 0, -0, 1e-8, 2 ** -25, 1.5 * 2 ** -25, 65_519.99]);
    const positive = new Float32Array(0x7c00);
    fromHalves(
      Uint16Array.from(positive, (_, half) => half),
      positive,
    );
    expect(roundTrip(values)).toEqual(Float32Array.from(values, (value) => nearest(value, positive)));
  });

  it('keeps infinities and NaN, and refuses what would become infinite', () => {
    expect([...roundTrip(Float32Array.of(Infinity, -Infinity, NaN))]).toEqual([Infinity, -Infinity, NaN]);
    expect(() => toHalves(Float32Array.of(1, 65_520))).toThrow(/A feature is 65520, but the largest float16 is 65504/);
    expect(() => toHalves(Float32Array.of(-1e6))).toThrow(/-1000000/);
  });
});
