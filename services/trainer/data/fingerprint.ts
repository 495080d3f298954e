/** Cells of a fingerprint: rows and columns of an area average of the picture. */
export const FINGERPRINT_HEIGHT = 8;
export const FINGERPRINT_WIDTH = 9;
const CELLS = FINGERPRINT_HEIGHT * FINGERPRINT_WIDTH;
const RGB = 3;

/** Weights of red, green and blue in brightness (ITU-R BT.601, as JPEG has them). */
const LUMA = [0.299, 0.587, 0.114] as const;

/** A picture of 9 × 8 brightnesses: what is left of it after it has been stored anew, smaller or in another format. */
export type Fingerprint = Uint8Array;

/**
 * @param cells 8 × 9 × 3 averages from 0 to 255, RGB, row-major.
 * @returns 72 brightnesses from 0 to 255, row-major.
 */
export function fingerprintOf(cells: Float32Array): Fingerprint {
  return Uint8Array.from({ length: CELLS }, (_, cell) => {
    const [red = 0, green = 0, blue = 0] = cells.subarray(cell * RGB, (cell + 1) * RGB);
    return Math.round(LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue);
  });
}

/** For JSON. */
export function encodeFingerprint(fingerprint: Fingerprint): string {
  return Buffer.from(fingerprint).toString('base64');
}

export function decodeFingerprint(text: string): Fingerprint {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** Parts of 16 bits, so that one of four is all but equal in two hashes that differ in up to seven bits. */
export type DifferenceHash = readonly [number, number, number, number];

/**
 * dHash (Krawetz 2013): one bit per pair of neighbours in a row, whether the right one is brighter. Brightness and contrast of the
 * whole picture drop out.
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

/** Bits that differ, 0 to 64. */
export function hammingDistance(a: DifferenceHash, b: DifferenceHash): number {
  return bitCount(a[0] ^ b[0]) + bitCount(a[1] ^ b[1]) + bitCount(a[2] ^ b[2]) + bitCount(a[3] ^ b[3]);
}

/** Mean difference of brightness over the cells, 0 to 255. */
export function meanDifference(a: Fingerprint, b: Fingerprint): number {
  let sum = 0;
  for (let cell = 0; cell < CELLS; cell += 1) sum += Math.abs((a[cell] ?? 0) - (b[cell] ?? 0));
  return sum / CELLS;
}

/** Difference between the brightest and the darkest cell. */
export function contrastOf(fingerprint: Fingerprint): number {
  return Math.max(...fingerprint) - Math.min(...fingerprint);
}

/** Of a whole number of up to 32 bits (Hacker's Delight, 5-1). */
function bitCount(value: number): number {
  let bits = value - ((value >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
