import { createHash } from 'node:crypto';
import { ArtifactMissingError } from '../../core/errors.ts';
import { ArtifactExistsError } from '../../platform/artifacts/artifact-store.ts';
import type { ArtifactStore, StoredArtifact } from '../../platform/artifacts/artifact-store.ts';
import { featureSetUri } from '../../core/reports/check-features.ts';
import { bytesPerImage, featureFileHeader } from './feature-file.ts';
import type { FeatureLayout } from './feature-file.ts';
import { toHalves } from '../checkpoints/half-precision.ts';

/** Images that a killed extraction loses at most: 10 s of VGG16 at 180 pixels on two cores. */
const MOST_PART_IMAGES = 128;
const MOST_PART_BYTES = 64 * 2 ** 20;
const DIGEST_BYTES = 32;
/** Assemblies of one set in one attempt, if parts are lost repeatedly. */
const MOST_TRIES = 3;
/** Suffices for a billion images in parts of 64. */
const MOST_HEADER_BYTES = 2 ** 30;

/** Returns the images of one part: whole batches, so that a resumed extraction has the same batches and the same bits. */
export function partImagesOf(layout: Pick<FeatureLayout, 'dtype' | 'shape'>, batchSize: number): number {
  const fitting = Math.min(MOST_PART_IMAGES, Math.floor(MOST_PART_BYTES / bytesPerImage(layout)));
  return Math.max(1, Math.floor(fitting / batchSize)) * batchSize;
}

/**
 * Computes a feature set part by part. Each part is stored when it is complete, so an extraction that was killed is resumed, on
 * any machine, with the missing parts. Then the parts are assembled into one file and removed. The file is the same to the last
 * byte, however often the extraction was interrupted. A part that was lost or damaged meanwhile is recomputed.
 *
 * @param compute returns the outputs of the images from `start` (inclusive) to `end` (exclusive), in order, as float32.
 */
export async function storeFeatures(
  artifacts: ArtifactStore,
  layout: FeatureLayout,
  compute: (start: number, end: number) => AsyncIterable<Float32Array>,
): Promise<StoredArtifact> {
  for (let tries = 1; ; tries += 1) {
    const digests = await makeParts(artifacts, layout, compute);
    try {
      const stored = await artifacts.writeStream(featureSetUri(layout.key), assemble(artifacts, layout, digests));
      await removeParts(artifacts, layout);
      return stored;
    } catch (error) {
      if (tries === MOST_TRIES) throw error;
      if (error instanceof ArtifactExistsError) {
        // Another attempt, whose lease is lost, stored the file first. A damaged one is removed here.
        const found = await findStoredFeatures(artifacts, layout);
        if (found !== null) return found;
      } else if (!(error instanceof LostPartError)) throw error;
    }
  }
}

/** Computes and stores the missing parts. @returns the digests of all parts. */
async function makeParts(
  artifacts: ArtifactStore,
  layout: FeatureLayout,
  compute: (start: number, end: number) => AsyncIterable<Float32Array>,
): Promise<readonly string[]> {
  const { imageCount, partImages, key } = layout;
  const digests: string[] = [];
  for (let start = 0; start < imageCount; start += partImages) {
    const uri = partUri(key, start);
    const end = Math.min(start + partImages, imageCount);
    const sizeBytes = (end - start) * bytesPerImage(layout);
    digests.push(
      (await findPart(artifacts, uri, sizeBytes)) ?? (await makePart(artifacts, uri, layout, compute(start, end))),
    );
  }
  return digests;
}

/**
 * Returns the stored file of an attempt that was killed before it could report it; null if there is none. No digest of it is
 * recorded, so its bytes are compared with the part digests in its header. A damaged file is removed.
 */
export async function findStoredFeatures(
  artifacts: ArtifactStore,
  layout: FeatureLayout,
): Promise<StoredArtifact | null> {
  const uri = featureSetUri(layout.key);
  const found = await artifacts.stat(uri);
  if (found === null) return null;
  const reader = new ByteReader(artifacts.readFrom(uri, 0));
  const sha256 = await digestIfIntact(reader, layout).finally(() => reader.close());
  if (sha256 === null) {
    await artifacts.remove(uri);
    return null;
  }
  await removeParts(artifacts, layout);
  return { uri, sizeBytes: found.sizeBytes, sha256 };
}

async function digestIfIntact(reader: ByteReader, layout: FeatureLayout): Promise<string | null> {
  const whole = createHash('sha256');
  const lengthBytes = await reader.take(8);
  if (lengthBytes.length < 8) return null;
  const headerLength = lengthBytes.readBigUInt64LE();
  if (headerLength > MOST_HEADER_BYTES) return null;
  const header = Buffer.concat([lengthBytes, await reader.take(Number(headerLength))]);
  const digests = /"part_sha256":"([0-9a-f ]*)"/.exec(header.toString())?.[1]?.split(' ') ?? [];
  // The header is a function of layout and digests, so this compares everything in it.
  if (!header.equals(featureFileHeader(layout, digests))) return null;
  whole.update(header);
  const { imageCount, partImages } = layout;
  if (digests.length !== Math.ceil(imageCount / partImages)) return null;
  for (const [index, digest] of digests.entries()) {
    const images = Math.min(partImages, imageCount - index * partImages);
    const part = await reader.take(images * bytesPerImage(layout));
    if (createHash('sha256').update(part).digest('hex') !== digest) return null;
    whole.update(part);
  }
  return (await reader.take(1)).length === 0 ? whole.digest('hex') : null;
}

/** Reads a given number of bytes at a time from chunks of any size. */
class ByteReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#iterator = chunks[Symbol.asyncIterator]();
  }

  /** Returns the next `length` bytes, or fewer at the end. */
  async take(length: number): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for (let missing = length; missing > 0;) {
      if (this.#rest.length === 0) {
        const next = await this.#iterator.next();
        if (next.done === true) break;
        this.#rest = next.value;
      }
      const piece = this.#rest.subarray(0, missing);
      pieces.push(piece);
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  /** Closes the source without reading the rest. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** Removes all parts, including those of an attempt that was killed after it had stored the file. */
async function removeParts(artifacts: ArtifactStore, layout: FeatureLayout): Promise<void> {
  for (let start = 0; start < layout.imageCount; start += layout.partImages) {
    await artifacts.remove(partUri(layout.key, start));
  }
}

function partUri(key: string, start: number): string {
  return `features/${key}.parts/${String(start).padStart(8, '0')}`;
}

/** Returns the digest of a stored part; null if there is none. A damaged part is removed. */
async function findPart(artifacts: ArtifactStore, uri: string, sizeBytes: number): Promise<string | null> {
  const found = await artifacts.stat(uri);
  if (found === null) return null;
  const part = await artifacts.read(uri);
  const digest = createHash('sha256').update(part.subarray(0, sizeBytes)).digest();
  if (part.length === sizeBytes + DIGEST_BYTES && digest.equals(part.subarray(sizeBytes)))
    return digest.toString('hex');
  await artifacts.remove(uri);
  return null;
}

async function makePart(
  artifacts: ArtifactStore,
  uri: string,
  { dtype }: FeatureLayout,
  rows: AsyncIterable<Float32Array>,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const values of rows) {
    const encoded = dtype === 'F16' ? toHalves(values) : values;
    const bytes = new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    hash.update(bytes);
    chunks.push(bytes);
    sizeBytes += bytes.length;
  }
  const digest = hash.digest();
  try {
    await artifacts.writeStream(uri, [...chunks, digest]);
    return digest.toString('hex');
  } catch (error) {
    if (!(error instanceof ArtifactExistsError)) throw error;
    // Another attempt, whose lease is lost and which may have another number of threads, stored the part first.
    return (await findPart(artifacts, uri, sizeBytes)) ?? (await Promise.reject(error));
  }
}

async function* assemble(
  artifacts: ArtifactStore,
  layout: FeatureLayout,
  digests: readonly string[],
): AsyncGenerator<Uint8Array> {
  yield featureFileHeader(layout, digests);
  for (const [index, digest] of digests.entries()) {
    const uri = partUri(layout.key, index * layout.partImages);
    const part = await artifacts.read(uri).catch((error: unknown) => {
      throw error instanceof ArtifactMissingError ? lostPart(uri, 'it was removed') : error;
    });
    const rows = part.subarray(0, part.length - DIGEST_BYTES);
    if (createHash('sha256').update(rows).digest('hex') !== digest) {
      throw lostPart(uri, 'it was damaged after it had been written');
    }
    yield rows;
  }
}

/** Thrown when a part was lost or damaged between its writing and the assembly. */
class LostPartError extends Error {
  override readonly name = 'LostPartError';
}

function lostPart(uri: string, what: string): LostPartError {
  return new LostPartError(`The part ${uri} can't be assembled into the file: ${what}.`);
}
