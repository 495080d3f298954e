/**
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011; constants and rounds as
 * in Random123 1.14 `philox.h`). A pure function from 128 bits of counter and 64 bits of key to 128 random bits.
 */
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

const M0_LOW = MULTIPLIER_0 & 0xffff;
const M0_HIGH = MULTIPLIER_0 >>> 16;
const M1_LOW = MULTIPLIER_1 & 0xffff;
const M1_HIGH = MULTIPLIER_1 >>> 16;

/**
 * Fills `out` with random 32-bit words: block `i` of four words comes from the counter (counter0 + i, counter1, counter2,
 * counter3), with the carry of the first word going into the second.
 *
 * @param out length a multiple of 4.
 */
export function philoxBlocks(
  out: Uint32Array,
  counter0: number,
  counter1: number,
  counter2: number,
  counter3: number,
  key0: number,
  key1: number,
): void {
  let low = counter0 | 0;
  let high = counter1 | 0;
  for (let offset = 0; offset + 4 <= out.length; offset += 4) {
    let x0 = low;
    let x1 = high;
    let x2 = counter2 | 0;
    let x3 = counter3 | 0;
    let k0 = key0 | 0;
    let k1 = key1 | 0;
    for (let round = 0; round < ROUNDS; round++) {
      // High words of two 32 × 32 bit products from 16-bit halves: Math.imul gives the low words only, and a product of two
      // 32-bit numbers does not fit a double. Written out, because a call per product is four times slower.
      const a = x0 >>> 16;
      const b = x0 & 0xffff;
      const t0 = Math.imul(b, M0_LOW) >>> 16;
      const t1 = (Math.imul(a, M0_LOW) >>> 0) + t0;
      const t2 = (Math.imul(b, M0_HIGH) >>> 0) + (t1 & 0xffff);
      const high0 = (Math.imul(a, M0_HIGH) + (t1 >>> 16) + (t2 >>> 16)) | 0;
      const c = x2 >>> 16;
      const d = x2 & 0xffff;
      const s0 = Math.imul(d, M1_LOW) >>> 16;
      const s1 = (Math.imul(c, M1_LOW) >>> 0) + s0;
      const s2 = (Math.imul(d, M1_HIGH) >>> 0) + (s1 & 0xffff);
      const high1 = (Math.imul(c, M1_HIGH) + (s1 >>> 16) + (s2 >>> 16)) | 0;
      const low0 = Math.imul(x0, MULTIPLIER_0);
      const low1 = Math.imul(x2, MULTIPLIER_1);
      x0 = high1 ^ x1 ^ k0;
      x1 = low1;
      x2 = high0 ^ x3 ^ k1;
      x3 = low0;
      k0 = (k0 + WEYL_0) | 0;
      k1 = (k1 + WEYL_1) | 0;
    }
    out[offset] = x0;
    out[offset + 1] = x1;
    out[offset + 2] = x2;
    out[offset + 3] = x3;
    low = (low + 1) | 0;
    if (low === 0) high = (high + 1) | 0;
  }
}
