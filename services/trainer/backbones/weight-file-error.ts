import { open } from 'node:fs/promises';
import { BackboneError } from '../../core/network/backbone-error.ts';

/** A weight file and the base that it is read for, as errors name them. */
export interface WeightSource {
  readonly path: string;
  readonly backbone: string;
}

/** The file as a whole holds no weights of the base. */
export function fileError({ path, backbone }: WeightSource, problem: string): BackboneError {
  return new BackboneError(`${path} doesn't hold weights of ${backbone}: ${problem}.`, { backbone });
}

/** One layer's tensors are missing, of another shape, or not what they should be. */
export function layerError({ path, backbone }: WeightSource, layer: string, problem: string): BackboneError {
  return new BackboneError(`${path} doesn't fit ${backbone}: layer ${layer} ${problem}.`, { backbone, layer });
}

/** First bytes of what is mistaken for weights, with what to do. */
const LOOKALIKES: readonly (readonly [begin: RegExp, meaning: string])[] = [
  [/^\x89HDF\r\n/, 'it is an HDF5 file: give it the ending .h5'],
  [/^PK\x03\x04/, 'it is a ZIP archive: a Keras model has the ending .keras'],
  [/^version https:\/\/git-lfs/, 'it is a Git LFS pointer, not the file itself: run `git lfs pull`'],
  [/^\s*<(!doctype|html|\?xml)/i, 'it is a web page, as a failed download leaves it: download the file again'],
  [/^\x1f\x8b/, 'it is a gzip archive: unpack it'],
  [/^\x80[\x02-\x05]/, 'it is a Python pickle, which is never read: save the weights with Keras or as .safetensors'],
];
const READ_BYTES = 64;

/** Describes what a file is by its first bytes, as `; it is …`; empty when that is unknown. */
export async function lookalikeHint(path: string): Promise<string> {
  await using file = await open(path, 'r');
  const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, 0);
  if (bytesRead === 0) return '; it is empty';
  const begin = buffer.toString('latin1', 0, bytesRead);
  const meaning = LOOKALIKES.find(([pattern]) => pattern.test(begin))?.[1];
  return meaning === undefined ? '' : `; ${meaning}`;
}
