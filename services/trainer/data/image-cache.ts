import { createHash, randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import { mkdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Dataset, ManifestImage, Split } from '../../core/dataset.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor4D } from '../engine/engine.ts';
import type { ProgressListener } from '../engine/progress.ts';
import { writeFully } from './decoder-jobs.ts';
import { decoderCountFor, jobsOf, runDecoders } from './decoders.ts';
import { ImageCacheError } from './image-cache-error.ts';

export interface ImageCacheOptions {
  readonly dataset: Dataset;
  /** All of the manifest's. */
  readonly images: readonly ManifestImage[];
  readonly split: Split;
  /** Height and width in pixels. */
  readonly size: number;
  readonly cacheDir: string;
  /** Processes that decode; by the number of images if not given. */
  readonly decoderCount?: number;
  readonly onProgress?: ProgressListener;
}

/** The decoded images of one split at one size. Image numbers are places among the split's images in manifest order. */
export interface ImageCache {
  readonly count: number;
  readonly size: number;
  readonly labels: Int32Array;
  /** As in the manifest. */
  readonly paths: readonly string[];
  /** @returns [indices.length, size, size, 3] float32, 0..255 RGB; the caller's. */
  read(indices: ArrayLike<number>): Tensor4D;
  close(): void;
}

const MAGIC = 'graftimg';
const VERSION = 1;
/** Magic, version, count, size, then SHA-256 of what the rows must be. */
const HEADER_BYTES = 64;
const FLOAT_BYTES = 4;
/** Left free on the disk. */
const RESERVE_BYTES = 256 * 2 ** 20;

/**
 * Opens the decoded images, decoding them first if that was not done yet. They are kept as float32, as Keras' resize gives
 * them: bilinear values are no whole numbers, and rounding to uint8 would break parity. Two processes may do this at the
 * same time: each writes a file of its own, and the last one's rename wins.
 *
 * @throws ImageCacheError
 */
export async function openImageCache(options: ImageCacheOptions): Promise<ImageCache> {
  const images = options.images.filter(({ split }) => split === options.split);
  const folder = join(options.cacheDir, 'images');
  const path = join(folder, `${options.dataset.digest.slice(0, 16)}-${options.split}-${options.size}.f32`);
  const header = makeHeader(options, images);
  if (!(await isComplete(path, header, images.length, options.size))) {
    await mkdir(folder, { recursive: true });
    await buildCache(path, header, images, options);
  }
  return new FileImageCache(path, images, options.size);
}

function makeHeader(options: ImageCacheOptions, images: readonly ManifestImage[]): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 0, 'latin1');
  header.writeUInt32LE(VERSION, 8);
  header.writeUInt32LE(images.length, 12);
  header.writeUInt32LE(options.size, 16);
  const identity = createHash('sha256').update(`${options.dataset.digest}\n${options.split}\n`);
  for (const { sha256 } of images) identity.update(sha256);
  identity.digest().copy(header, 32);
  return header;
}

function rowBytes(size: number): number {
  return size * size * 3 * FLOAT_BYTES;
}

/** Header, rows, one CRC-32 per row. */
function fileBytes(count: number, size: number): number {
  return HEADER_BYTES + count * (rowBytes(size) + 4);
}

async function isComplete(path: string, header: Buffer, count: number, size: number): Promise<boolean> {
  try {
    if ((await stat(path)).size !== fileBytes(count, size)) return false;
  } catch {
    return false;
  }
  const found = Buffer.alloc(HEADER_BYTES);
  const file = openSync(path, 'r');
  try {
    readSync(file, found, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(file);
  }
  return found.equals(header);
}

async function buildCache(
  path: string,
  header: Buffer,
  images: readonly ManifestImage[],
  options: ImageCacheOptions,
): Promise<void> {
  await checkDiskSpace(path, options, images.length);
  const temporary = `${path}.${randomUUID()}.part`;
  const file = openSync(temporary, 'wx');
  try {
    writeFully(file, header, 0);
    const checksums = await writeRows(temporary, images, options);
    writeFully(file, checksums, HEADER_BYTES + images.length * rowBytes(options.size));
    fsyncSync(file);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/** @returns the CRC-32 of each row */
async function writeRows(path: string, images: readonly ManifestImage[], options: ImageCacheOptions): Promise<Buffer> {
  const { size, split, dataset, onProgress, decoderCount = decoderCountFor(images.length) } = options;
  const checksums = Buffer.alloc(images.length * 4);
  const jobs = jobsOf(images, (share, first) => {
    const offset = HEADER_BYTES + first * rowBytes(size);
    return { kind: 'rows', root: dataset.path, images: share, size, target: path, offset, first } as const;
  });
  const detail = `decoding ${split} images at ${size} pixels`;
  let done = 0;
  await runDecoders(jobs, decoderCount, (job, rowChecksums) => {
    for (const [index, checksum] of rowChecksums.entries()) checksums.writeUInt32LE(checksum, (job.first + index) * 4);
    done += rowChecksums.length;
    onProgress?.({ done, total: images.length, detail });
  });
  return checksums;
}

async function checkDiskSpace(path: string, { size, cacheDir }: ImageCacheOptions, count: number): Promise<void> {
  const needed = fileBytes(count, size) + RESERVE_BYTES;
  const { bavail, bsize } = await statfs(cacheDir);
  if (bavail * bsize >= needed) return;
  throw new ImageCacheError(
    path,
    `${count} decoded images of ${size} pixels need ${megabytes(needed)} MB in ${cacheDir}, which has ` +
      `${megabytes(bavail * bsize)} MB free. Free some, or point GRAFT_CACHE_DIR at a larger disk.`,
  );
}

function megabytes(bytes: number): string {
  return Math.ceil(bytes / 1e6).toLocaleString('en');
}

class FileImageCache implements ImageCache {
  readonly count: number;
  readonly size: number;
  readonly labels: Int32Array;
  readonly paths: readonly string[];
  private readonly path: string;
  private readonly checksums: Buffer;
  /** Rows whose checksum was right once in this process. */
  private readonly checked: Uint8Array;
  private file: number | null;

  constructor(path: string, images: readonly ManifestImage[], size: number) {
    this.path = path;
    this.count = images.length;
    this.size = size;
    this.labels = Int32Array.from(images, ({ label }) => label);
    this.paths = images.map((image) => image.path);
    this.checked = new Uint8Array(images.length);
    this.checksums = Buffer.alloc(images.length * 4);
    this.file = openSync(path, 'r');
    this.readFully(this.checksums, HEADER_BYTES + this.count * rowBytes(size));
  }

  read(indices: ArrayLike<number>): Tensor4D {
    const { size } = this;
    const bytesPerRow = rowBytes(size);
    const values = new Float32Array(indices.length * size * size * 3);
    for (let position = 0; position < indices.length; position++) {
      const index = indices[position] ?? -1;
      if (!(index >= 0 && index < this.count)) {
        throw new RangeError(`Image ${index} does not exist: the split has ${this.count} images.`);
      }
      const row = Buffer.from(values.buffer, position * bytesPerRow, bytesPerRow);
      this.readFully(row, HEADER_BYTES + index * bytesPerRow);
      this.checkRow(row, index);
    }
    return tf.tensor4d(values, [indices.length, size, size, 3], 'float32');
  }

  close(): void {
    if (this.file !== null) closeSync(this.file);
    this.file = null;
  }

  private checkRow(row: Buffer, index: number): void {
    if (this.checked[index] === 1) return;
    if (crc32(row) !== this.checksums.readUInt32LE(index * 4)) {
      this.close();
      // So that the next opening makes it anew.
      rmSync(this.path, { force: true });
      throw new ImageCacheError(
        this.path,
        `${this.path} is damaged at image ${index} (${this.paths[index] ?? ''}). It was removed; the next try decodes the images again.`,
      );
    }
    this.checked[index] = 1;
  }

  private readFully(target: Buffer, position: number): void {
    if (this.file === null) throw new ImageCacheError(this.path, `${this.path} was closed already.`);
    let done = 0;
    while (done < target.length) {
      const read = readSync(this.file, target, done, target.length - done, position + done);
      if (read === 0) throw new ImageCacheError(this.path, `${this.path} ends early.`);
      done += read;
    }
  }
}
