/** The result of a run for each validation image, in the manifest's order. */
export interface Evidence {
  /** Bit i, the least significant first, is set if image i was classified correctly. */
  readonly correct: Uint8Array;
  readonly count: number;
  /** Loss of each image; null: not sent. */
  readonly losses: Float32Array | null;
}

/** Numbers of images on which two runs differ. */
export interface Discordance {
  readonly firstOnly: number;
  readonly secondOnly: number;
}

/**
 * Counts the images that only one of two runs classifies correctly.
 *
 * @throws {RangeError} when the runs have different numbers of images.
 */
export function discordance(first: Evidence, second: Evidence): Discordance {
  requireSameImages(first, second);
  const bits = (evidence: Evidence, byte: number): number => evidence.correct[byte] ?? 0;
  return {
    firstOnly: countImages(first.count, (byte) => bits(first, byte) & ~bits(second, byte)),
    secondOnly: countImages(first.count, (byte) => bits(second, byte) & ~bits(first, byte)),
  };
}

export function correctCountOf({ correct, count }: Evidence): number {
  return countImages(count, (byte) => correct[byte] ?? 0);
}

/** Counts the set bits of the first `count` images; those after the last one are padding. */
function countImages(count: number, byteAt: (byte: number) => number): number {
  let sum = 0;
  for (let byte = 0; byte * 8 < count; byte++)
    sum += bitCount(byteAt(byte) & (0xff >>> Math.max(0, byte * 8 + 8 - count)));
  return sum;
}

export function requireSameImages(first: Evidence, second: Evidence): void {
  if (first.count === second.count && first.count > 0) return;
  throw new RangeError(
    `Both runs must have the same images, at least one; received ${first.count} and ${second.count}.`,
  );
}

/** Number of set bits of a byte, by pairs, fours and eights. */
function bitCount(byte: number): number {
  const pairs = byte - ((byte >> 1) & 0x55);
  const fours = (pairs & 0x33) + ((pairs >> 2) & 0x33);
  return (fours + (fours >> 4)) & 0x0f;
}
