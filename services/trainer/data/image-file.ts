import { createHash } from 'node:crypto';
import type { Dataset, ManifestImage, Split } from '../../core/dataset.ts';

/** Contents of the file with one split's decoded images at one size: header, float32 rows, one CRC-32 per row. */
export interface ImageFileContents {
  readonly dataset: Dataset;
  readonly split: Split;
  /** Images of the split, in manifest order. */
  readonly images: readonly ManifestImage[];
  /** Height and width in pixels. */
  readonly size: number;
}

const MAGIC = 'graftimg';
const VERSION = 1;
/** Size of the header: magic, version, count, size, then the SHA-256 of everything that determines the rows. */
export const HEADER_BYTES = 64;
const FLOAT_BYTES = 4;

export function imageFileHeader({ dataset, split, images, size }: ImageFileContents): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 0, 'latin1');
  header.writeUInt32LE(VERSION, 8);
  header.writeUInt32LE(images.length, 12);
  header.writeUInt32LE(size, 16);
  const identity = createHash('sha256').update(`${dataset.digest}\n${split}\n`);
  for (const { sha256 } of images) identity.update(sha256);
  identity.digest().copy(header, 32);
  return header;
}

export function rowBytes(size: number): number {
  return size * size * 3 * FLOAT_BYTES;
}

export function fileBytes(count: number, size: number): number {
  return HEADER_BYTES + count * (rowBytes(size) + 4);
}
