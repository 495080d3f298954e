import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { ManifestImage } from '../../core/dataset.ts';
import { readRegularFile, readRegularFileSync } from '../../platform/files/read-regular-file.ts';
import { checkFile } from './check-file.ts';
import type { FileCheck } from './check-file.ts';
import { decodeAndResize, ImageDecodeError } from './decode-image.ts';
import { ImageCacheError } from './image-cache-error.ts';
import { decodePixels } from './pixels-job.ts';
import type { PixelsJob, PixelsOrProblem } from './pixels-job.ts';

/** A job that checks a share of the files; can be executed in any process. */
export interface CheckJob {
  readonly kind: 'check';
  readonly root: string;
  /** Paths relative to the root. */
  readonly paths: readonly string[];
}

/** A job that decodes images into a file, row after row. */
export interface RowsJob {
  readonly kind: 'rows';
  readonly root: string;
  readonly images: readonly Pick<ManifestImage, 'path' | 'sha256'>[];
  /** Height and width in pixels. */
  readonly size: number;
  /** Path of the file, which must exist. */
  readonly target: string;
  /** Byte offset of the first image's row. */
  readonly offset: number;
}

export type DecoderJob = CheckJob | RowsJob | PixelsJob;

/** Result of each kind of job: a check per path, a CRC-32 per row, pixels or a problem per path. */
export interface DecoderAnswers {
  readonly check: readonly FileCheck[];
  readonly rows: readonly number[];
  readonly pixels: readonly PixelsOrProblem[];
}

/**
 * Executes a job. `check` and `pixels` report problems in their results.
 *
 * @throws {ImageCacheError} or {ImageDecodeError} for `rows`.
 */
export async function doJob<J extends DecoderJob>(job: J): Promise<DecoderAnswers[J['kind']]>;
export async function doJob(job: DecoderJob): Promise<DecoderAnswers[DecoderJob['kind']]> {
  if (job.kind === 'rows') return writeRows(job);
  if (job.kind === 'pixels') return decodePixels(job);
  const checks: FileCheck[] = [];
  for (const share of await sharesOf(job.root, job.paths, (path) => path)) {
    const contents = await Promise.all(share.map((path) => readOrError(join(job.root, path))));
    checks.push(...contents.map(checkFile));
  }
  return checks;
}

/** Maximum total bytes of files in memory at once: all 32 of a job, unless they are large. */
const SHARE_BYTES = 64 * 2 ** 20;

/** Groups files into shares that are read at once, preserving their order. */
async function sharesOf<T>(root: string, files: readonly T[], pathOf: (file: T) => string): Promise<readonly T[][]> {
  const sizes = await Promise.all(files.map((file) => sizeOf(join(root, pathOf(file)))));
  const shares: T[][] = [];
  let bytes = Infinity;
  for (const [index, file] of files.entries()) {
    const size = sizes[index] ?? 0;
    if (bytes + size > SHARE_BYTES) {
      shares.push([]);
      bytes = 0;
    }
    shares.at(-1)?.push(file);
    bytes += size;
  }
  return shares;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    // Reading the file reports the problem.
    return 0;
  }
}

async function readOrError(path: string): Promise<Uint8Array | Error> {
  try {
    return await readRegularFile(path);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function writeRows({ root, images, size, target, offset }: RowsJob): Promise<number[]> {
  const file = openSync(target, 'r+');
  try {
    let position = offset;
    const checksums: number[] = [];
    for (const share of await sharesOf(root, images, ({ path }) => path)) {
      const contents = await Promise.all(share.map((image) => readUnchanged(root, image)));
      for (const [index, bytes] of contents.entries()) {
        const pixels = decodeNamed(join(root, share[index]?.path ?? ''), bytes, size);
        const row = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
        writeFully(file, row, position);
        position += row.length;
        checksums.push(crc32(row));
      }
    }
    return checksums;
  } finally {
    closeSync(file);
  }
}

/**
 * Decodes one image synchronously.
 *
 * @returns the bytes of its row.
 * @throws {ImageCacheError} when the file differs from the indexed one; {ImageDecodeError} when it can't be decoded.
 */
export function decodeRow(root: string, image: Pick<ManifestImage, 'path' | 'sha256'>, size: number): Buffer {
  const path = join(root, image.path);
  let bytes: Buffer;
  try {
    bytes = readRegularFileSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  const pixels = decodeNamed(path, requireUnchanged(path, bytes, image), size);
  return Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
}

/**
 * Decodes an image. The error carries the path, because at indexing the file could be decoded.
 *
 * @throws {ImageDecodeError} when it can't be decoded.
 */
function decodeNamed(path: string, bytes: Uint8Array, size: number): Float32Array {
  try {
    return decodeAndResize(bytes, size);
  } catch (error) {
    if (!(error instanceof ImageDecodeError)) throw error;
    throw new ImageDecodeError(`${path}: ${error.reason}`, { cause: error });
  }
}

async function readUnchanged(root: string, image: Pick<ManifestImage, 'path' | 'sha256'>): Promise<Buffer> {
  const path = join(root, image.path);
  let bytes: Buffer;
  try {
    bytes = await readRegularFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  return requireUnchanged(path, bytes, image);
}

function unreadable(path: string, error: unknown): ImageCacheError {
  return new ImageCacheError(path, `${path} was indexed, but can't be read now: ${String(error)}.`, {
    cause: error,
    fault: 'MISSING',
  });
}

function requireUnchanged(path: string, bytes: Buffer, { sha256 }: Pick<ManifestImage, 'sha256'>): Buffer {
  if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
  throw new ImageCacheError(path, `${path} was changed after the data set was indexed. Submit the sweep again.`, {
    fault: 'CHANGED',
  });
}

export function writeFully(file: number, bytes: Uint8Array, position: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(file, bytes, done, bytes.length - done, position + done);
}
