import { closeSync, openSync, readSync } from 'node:fs';
import type { FeatureSetRef } from '../../core/task.ts';
import { ArtifactDigestError } from '../../platform/artifacts/artifact-cache.ts';
import type { ArtifactCache, LocalArtifact } from '../../platform/artifacts/artifact-cache.ts';
import { ArtifactMissingError } from '../../core/errors.ts';
import { encodeSafetensorsHeader, readSafetensorsHeader } from '../checkpoints/safetensors.ts';
import type { SafetensorsEntry } from '../checkpoints/safetensors.ts';
import { fromHalves } from '../checkpoints/half-precision.ts';
import { TaskFailureError, damageError } from './task-error.ts';

const TENSOR = 'features';
const BYTES = { F32: 4, F16: 2 } as const;

/** The file of a feature set: one tensor [images, …shape]. The header has the set's key and the digests of its parts. */
export interface FeatureLayout {
  readonly key: string;
  readonly dtype: SafetensorsEntry['dtype'];
  /** Shape of one image's features. */
  readonly shape: readonly number[];
  readonly imageCount: number;
  /** Images of every part but the last. */
  readonly partImages: number;
}

function valuesPerImage(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function bytesPerImage({ dtype, shape }: Pick<FeatureLayout, 'dtype' | 'shape'>): number {
  return valuesPerImage(shape) * BYTES[dtype];
}

/** @param partDigests SHA-256 of each part's bytes, hexadecimal. */
export function featureFileHeader(layout: FeatureLayout, partDigests: readonly string[]): Buffer {
  const { key, dtype, shape, imageCount, partImages } = layout;
  return encodeSafetensorsHeader([{ name: TENSOR, shape: [imageCount, ...shape], dtype }], {
    key,
    part_images: String(partImages),
    part_sha256: partDigests.join(' '),
  });
}

/** Rows of a feature set, one per image of its split. */
export interface FeatureRows {
  /** Shape of one image's features. */
  readonly shape: readonly number[];
  readonly rowCount: number;
  /** Size of all rows as float32, in bytes. */
  readonly float32Bytes: number;
  /** Returns the values of some rows, concatenated. Consecutive rows are one read. */
  read(indices: ArrayLike<number>): Float32Array;
  close(): void;
}

/** Opens a feature set. @throws {TaskFailureError} when it was not computed, or its file is missing or damaged. */
export async function openFeatureRows(cache: ArtifactCache, set: FeatureSetRef): Promise<FeatureRows> {
  const { uri, sha256, sizeBytes } = set;
  if (uri === null || sha256 === null) {
    throw new TaskFailureError('COUNTED', 'FEATURES_MISSING', `Feature set ${set.key} has not been computed yet.`);
  }
  let local: LocalArtifact | null = null;
  try {
    local = await cache.open({ uri, sha256, sizeBytes });
    const { entry, metadata } = await readFeatureHeader(local.path);
    if (metadata['key'] !== set.key) {
      throw new TaskFailureError(
        'PERMANENT',
        'DIGEST_MISMATCH',
        `${uri} holds feature set ${metadata['key'] ?? 'unknown'}, but ${set.key} was requested.`,
      );
    }
    return new FileRows(set.key, local, entry);
  } catch (error) {
    local?.[Symbol.dispose]();
    throw asFailure(error, set);
  }
}

function asFailure(error: unknown, set: FeatureSetRef): unknown {
  if (error instanceof ArtifactMissingError) {
    return damagedSet(set.key, 'FEATURES_MISSING', error.message);
  }
  if (error instanceof ArtifactDigestError) {
    return damagedSet(set.key, 'DIGEST_MISMATCH', error.message);
  }
  return error;
}

function damagedSet(key: string, code: string, problem: string): TaskFailureError {
  return damageError(code, `Feature set ${key}: ${problem}`, { missingFeatureKeys: [key] });
}

async function readFeatureHeader(
  path: string,
): Promise<{ readonly entry: SafetensorsEntry; readonly metadata: Readonly<Record<string, string>> }> {
  const { entries, metadata } = await readSafetensorsHeader(path);
  const [entry] = entries;
  if (entry?.name !== TENSOR || entries.length !== 1)
    throw new Error(`${path} must have exactly one tensor, "${TENSOR}".`);
  return { entry, metadata };
}

class FileRows implements FeatureRows {
  readonly shape: readonly number[];
  readonly rowCount: number;
  readonly #key: string;
  readonly #local: LocalArtifact;
  readonly #entry: SafetensorsEntry;
  readonly #file: number;

  constructor(key: string, local: LocalArtifact, entry: SafetensorsEntry) {
    const [rowCount = 0, ...shape] = entry.shape;
    this.rowCount = rowCount;
    this.shape = shape;
    this.#key = key;
    this.#local = local;
    this.#entry = entry;
    this.#file = openSync(local.path, 'r');
  }

  get float32Bytes(): number {
    return this.rowCount * valuesPerImage(this.shape) * BYTES.F32;
  }

  read(indices: ArrayLike<number>): Float32Array {
    const width = valuesPerImage(this.shape);
    const values = new Float32Array(indices.length * width);
    for (let start = 0; start < indices.length;) {
      let end = start + 1;
      while (end < indices.length && indices[end] === (indices[end - 1] ?? 0) + 1) end++;
      this.#readRun(indices[start] ?? -1, values.subarray(start * width, end * width));
      start = end;
    }
    return values;
  }

  close(): void {
    closeSync(this.#file);
    this.#local[Symbol.dispose]();
  }

  #readRun(firstRow: number, target: Float32Array): void {
    const { dtype, offset } = this.#entry;
    const position = offset + firstRow * bytesPerImage({ dtype, shape: this.shape });
    if (dtype === 'F32') {
      this.#readFully(new Uint8Array(target.buffer, target.byteOffset, target.byteLength), position);
      return;
    }
    const halves = new Uint16Array(target.length);
    this.#readFully(new Uint8Array(halves.buffer), position);
    fromHalves(halves, target);
  }

  #readFully(target: Uint8Array, position: number): void {
    for (let done = 0; done < target.length;) {
      const count = readSync(this.#file, target, done, Math.min(target.length - done, 1 << 30), position + done);
      if (count === 0) {
        const problem = `${this.#local.path} ends before byte ${position + target.length}.`;
        throw damagedSet(this.#key, 'FEATURES_MISSING', problem);
      }
      done += count;
    }
  }
}
