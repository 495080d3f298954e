import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { ManifestImage } from '../../core/dataset.ts';
import { checkFile } from './check-file.ts';
import type { FileCheck } from './check-file.ts';
import { decodeAndResize } from './decode.ts';
import { ImageCacheError } from './image-cache-error.ts';

/** Some images' share of a long piece of decoding; may be done in any process. */
export interface CheckJob {
  readonly kind: 'check';
  readonly root: string;
  /** Relative to the root. */
  readonly paths: readonly string[];
}

/** Decodes images into a file, row after row. */
export interface RowsJob {
  readonly kind: 'rows';
  readonly root: string;
  readonly images: readonly Pick<ManifestImage, 'path' | 'sha256'>[];
  /** Height and width in pixels. */
  readonly size: number;
  /** A file that exists. */
  readonly target: string;
  /** Byte of the file at which the first image's row begins. */
  readonly offset: number;
}

export type DecoderJob = CheckJob | RowsJob;

/** What each kind of job gives: a check per path, a CRC-32 per row. */
export interface DecoderAnswers {
  readonly check: readonly FileCheck[];
  readonly rows: readonly number[];
}

/** @throws ImageCacheError, ImageDecodeError for rows; a check tells what is wrong instead */
export async function doJob<J extends DecoderJob>(job: J): Promise<DecoderAnswers[J['kind']]>;
export async function doJob(job: DecoderJob): Promise<DecoderAnswers[DecoderJob['kind']]> {
  if (job.kind === 'rows') return writeRows(job);
  const contents = await Promise.all(job.paths.map((path) => readOrError(join(job.root, path))));
  return contents.map(checkFile);
}

async function readOrError(path: string): Promise<Uint8Array | Error> {
  try {
    return await readFile(path);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function writeRows({ root, images, size, target, offset }: RowsJob): Promise<number[]> {
  const contents = await Promise.all(images.map((image) => readUnchanged(root, image)));
  const file = openSync(target, 'r+');
  try {
    let position = offset;
    return contents.map((bytes) => {
      const pixels = decodeAndResize(bytes, size);
      const row = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
      writeFully(file, row, position);
      position += row.length;
      return crc32(row);
    });
  } finally {
    closeSync(file);
  }
}

/**
 * Decodes one image at once, without a turn of the event loop.
 *
 * @returns the bytes of its row
 * @throws {ImageCacheError} when the file is not what was indexed, {ImageDecodeError}
 */
export function decodeRow(root: string, image: Pick<ManifestImage, 'path' | 'sha256'>, size: number): Buffer {
  const path = join(root, image.path);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  const pixels = decodeAndResize(requireUnchanged(path, bytes, image), size);
  return Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
}

async function readUnchanged(root: string, image: Pick<ManifestImage, 'path' | 'sha256'>): Promise<Buffer> {
  const path = join(root, image.path);
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  return requireUnchanged(path, bytes, image);
}

function unreadable(path: string, error: unknown): ImageCacheError {
  return new ImageCacheError(path, `${path} was indexed, but can't be read now: ${String(error)}.`, { cause: error });
}

function requireUnchanged(path: string, bytes: Buffer, { sha256 }: Pick<ManifestImage, 'sha256'>): Buffer {
  if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
  throw new ImageCacheError(path, `${path} was changed after the data set was indexed. Submit the sweep again.`);
}

export function writeFully(file: number, bytes: Uint8Array, position: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(file, bytes, done, bytes.length - done, position + done);
}
