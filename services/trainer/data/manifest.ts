import { createHash } from 'node:crypto';
import type { Dataset, ManifestImage } from '../../core/dataset.ts';

/** A data set with its images; the content of a manifest file. */
export interface IndexedDataset {
  readonly dataset: Dataset;
  /** Images ordered by split (train, validation, test), class, then Keras' file order. */
  readonly images: readonly ManifestImage[];
}

/** Thrown for a manifest file that is damaged or has another version. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  readonly path: string;

  constructor(path: string, problem: string) {
    super(`${path} is not a manifest of a data set: ${problem}. Index the data set again.`);
    this.path = path;
  }
}

const FORMAT = 'graft-manifest-1';

/** Returns the SHA-256 over the classes and all images, hexadecimal; it identifies the data set's content. */
export function manifestDigest(classNames: readonly string[], images: readonly ManifestImage[]): string {
  const hash = createHash('sha256');
  hash.update(`${JSON.stringify([FORMAT, classNames])}\n`);
  for (const image of images) hash.update(`${imageLine(image)}\n`);
  return hash.digest('hex');
}

/** Encodes a manifest as JSON lines: the data set first, then one line per image. */
export function encodeManifest({ dataset, images }: IndexedDataset): Buffer {
  const lines = [JSON.stringify({ format: FORMAT, dataset }), ...images.map(imageLine)];
  return Buffer.from(`${lines.join('\n')}\n`);
}

/**
 * Decodes the output of `encodeManifest`.
 *
 * @param path path of the file, for errors.
 * @throws {ManifestError} when the bytes are no such output or are damaged.
 */
export function decodeManifest(path: string, bytes: Buffer): IndexedDataset {
  const [head = '', ...lines] = bytes.toString('utf8').trimEnd().split('\n');
  const parsed = parseJson(path, head) as { readonly format?: unknown; readonly dataset?: Dataset | null } | null;
  const dataset = parsed?.format === FORMAT ? parsed.dataset : null;
  if (dataset === null || dataset === undefined) {
    throw new ManifestError(path, `its first line does not state "${FORMAT}"`);
  }
  if (!Array.isArray(dataset.classNames)) throw new ManifestError(path, 'its first line names no classes');
  const images = lines.map((line) => parseImage(path, line));
  if (manifestDigest(dataset.classNames, images) !== dataset.digest) {
    throw new ManifestError(path, 'its digest does not match its lines');
  }
  return { dataset, images };
}

function imageLine({ path, split, label, sha256, sizeBytes }: ManifestImage): string {
  return JSON.stringify([path, split, label, sha256, sizeBytes]);
}

function parseImage(path: string, line: string): ManifestImage {
  const fields = parseJson(path, line);
  if (!Array.isArray(fields) || fields.length !== 5) throw new ManifestError(path, `"${line}" is not an image`);
  const [imagePath, split, label, sha256, sizeBytes] = fields as [
    string,
    ManifestImage['split'],
    number,
    string,
    number,
  ];
  return { path: imagePath, split, label, sha256, sizeBytes };
}

function parseJson(path: string, line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new ManifestError(path, `"${line.slice(0, 60)}" is not JSON`);
  }
}
