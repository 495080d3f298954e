/** Rows and columns of the area average that makes up a fingerprint. */
export const FINGERPRINT_HEIGHT = 8;
export const FINGERPRINT_WIDTH = 9;
const CELLS = FINGERPRINT_HEIGHT * FINGERPRINT_WIDTH;
const RGB = 3;

/** Weights of red, green and blue in luma (ITU-R BT.601, as in JPEG). */
const LUMA = [0.299, 0.587, 0.114] as const;

/** A perceptual fingerprint: 9 × 8 luma values, which change little when a picture is re-encoded or scaled down. */
export type Fingerprint = Uint8Array;

/**
 * Computes the fingerprint of a picture.
 *
 * @param cells 8 × 9 × 3 averages from 0 to 255, RGB, row-major.
 * @returns 72 luma values from 0 to 255, row-major.
 */
export function fingerprintOf(cells: Float32Array): Fingerprint {
  return Uint8Array.from({ length: CELLS }, (_, cell) => {
    const [red = 0, green = 0, blue = 0] = cells.subarray(cell * RGB, (cell + 1) * RGB);
    return Math.round(LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue);
  });
}

/** Encodes a fingerprint for JSON. */
export function encodeFingerprint(fingerprint: Fingerprint): string {
  return Buffer.from(fingerprint).toString('base64');
}

export function decodeFingerprint(text: string): Fingerprint {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/**
 * A 64-bit hash as four parts of 16 bits. If two hashes differ in at most seven bits, at least one part differs in at
 * most one.
 */
export type DifferenceHash = readonly [number, number, number, number];

/**
 * Computes the dHash (Krawetz 2013): one bit per pair of horizontal neighbours, set if the right one is brighter. The
 * hash ignores the overall brightness and contrast.
 */
export function differenceHash(fingerprint: Fingerprint): DifferenceHash {
  const parts: [number, number, number, number] = [0, 0, 0, 0];
  for (let row = 0; row < FINGERPRINT_HEIGHT; row += 1) {
    for (let column = 0; column < FINGERPRINT_WIDTH - 1; column += 1) {
      const at = row * FINGERPRINT_WIDTH + column;
      if ((fingerprint[at + 1] ?? 0) <= (fingerprint[at] ?? 0)) continue;
      const bit = row * (FINGERPRINT_WIDTH - 1) + column;
      const part = (bit >> 4) as 0 | 1 | 2 | 3;
      parts[part] |= 1 << (bit & 15);
    }
  }
  return parts;
}

/** Returns the number of differing bits, 0 to 64. */
export function hammingDistance(a: DifferenceHash, b: DifferenceHash): number {
  return bitCount(a[0] ^ b[0]) + bitCount(a[1] ^ b[1]) + bitCount(a[2] ^ b[2]) + bitCount(a[3] ^ b[3]);
}

/** Returns the mean absolute difference of the cells' luma, 0 to 255. */
export function meanDifference(a: Fingerprint, b: Fingerprint): number {
  let sum = 0;
  for (let cell = 0; cell < CELLS; cell += 1) sum += Math.abs((a[cell] ?? 0) - (b[cell] ?? 0));
  return sum / CELLS;
}

/** Returns the difference between the brightest and the darkest cell. */
export function contrastOf(fingerprint: Fingerprint): number {
  return Math.max(...fingerprint) - Math.min(...fingerprint);
}

/** Counts the set bits of a 32-bit integer (Hacker's Delight, 5-1). */
function bitCount(value: number): number {
  let bits = value - ((value >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
