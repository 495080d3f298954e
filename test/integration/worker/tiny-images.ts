import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createStream } from '../../../services/core/rng/stream.ts';

export interface TinyImagesOptions {
  /** Images of each class in each split. */
  readonly counts: { readonly train: number; readonly validation: number; readonly test: number };
  readonly classNames?: readonly string[];
  /** Height and width in pixels. */
  readonly size?: number;
}

/** Writes noisy squares whose colour depends on the class, as BMP files `<root>/<split>/<class>/<n>.bmp`. */
export function writeTinyImages(
  root: string,
  { counts, classNames = ['blue', 'red'], size = 40 }: TinyImagesOptions,
): void {
  for (const [split, count] of Object.entries(counts)) {
    for (const [label, className] of classNames.entries()) {
      const folder = join(root, split, className);
      mkdirSync(folder, { recursive: true });
      for (let index = 0; index < count; index++) {
        writeFileSync(join(folder, `${index}.bmp`), tinyImage(size, label, [split, label, index]));
      }
    }
  }
}

function tinyImage(size: number, label: number, key: readonly (string | number)[]): Buffer {
  const random = createStream('tiny image', ...key);
  const pixels = Buffer.alloc(size * size * 3);
  // BMP stores blue, green, red; classes differ in one of them, with much noise on all.
  for (let i = 0; i < pixels.length; i++) pixels[i] = random.int(160) + (i % 3 === label % 3 ? 40 : 0);
  return bmpOf(size, pixels);
}

/** Encodes a 24-bit BMP; `size` must be a multiple of 4, so that rows need no padding. */
function bmpOf(size: number, pixels: Buffer): Buffer {
  const header = Buffer.alloc(54);
  header.write('BM');
  header.writeUInt32LE(54 + pixels.length, 2);
  header.writeUInt32LE(54, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(size, 18);
  header.writeInt32LE(size, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(24, 28);
  header.writeUInt32LE(pixels.length, 34);
  return Buffer.concat([header, pixels]);
}
