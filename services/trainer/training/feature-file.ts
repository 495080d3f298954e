import type { FeatureSetRef } from '../../core/task.ts';
import type { ArtifactStore, StoredArtifact } from '../../platform/artifacts/artifact-store.ts';
import { encodeSafetensorsHeader, readSafetensors, readSafetensorsHeader } from '../checkpoints/safetensors.ts';
import type { NamedTensor } from '../checkpoints/safetensors.ts';
import { TaskFailureError } from './task-error.ts';

const TENSOR = 'features';

/** Place of a feature set in the artifact store. */
export function featureSetUri(key: string): string {
  return `features/${key}.safetensors`;
}

/**
 * Writes a feature set as one float32 tensor [images, …shape] with its key in the header.
 *
 * @param rows parts in the order of the split's images; their lengths are multiples of one image's
 */
export function writeFeatureFile(
  artifacts: ArtifactStore,
  key: string,
  shape: readonly number[],
  imageCount: number,
  rows: AsyncIterable<Float32Array>,
): Promise<StoredArtifact> {
  return artifacts.writeStream(featureSetUri(key), fileParts(key, [imageCount, ...shape], rows));
}

async function* fileParts(
  key: string,
  shape: readonly number[],
  rows: AsyncIterable<Float32Array>,
): AsyncGenerator<Uint8Array> {
  yield encodeSafetensorsHeader([{ name: TENSOR, shape }], { key });
  for await (const values of rows) yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Shape [images, …] of the file that is there under this key, or null when there is none that is whole. */
export async function findFeatureFile(artifacts: ArtifactStore, key: string): Promise<readonly number[] | null> {
  const uri = featureSetUri(key);
  if ((await artifacts.stat(uri)) === null) return null;
  try {
    const { entries, metadata } = await readSafetensorsHeader(artifacts.localPath(uri));
    const [entry] = entries;
    return metadata['key'] === key && entry?.name === TENSOR ? entry.shape : null;
  } catch {
    // A damaged file is computed again and replaced.
    return null;
  }
}

/** @throws {TaskFailureError} when the set was not computed or its file is not what the reference says */
export async function readFeatureFile(artifacts: ArtifactStore, set: FeatureSetRef): Promise<NamedTensor> {
  if (set.uri === null) {
    throw new TaskFailureError('COUNTED', 'FEATURES_MISSING', `Feature set ${set.key} has not been computed yet.`);
  }
  if ((await artifacts.stat(set.uri)) === null) {
    throw new TaskFailureError(
      'COUNTED',
      'FEATURES_MISSING',
      `Feature set ${set.key} is not in the artifact store at ${set.uri}. All trainers must share one store.`,
    );
  }
  const { tensors, metadata } = await readSafetensors(artifacts.localPath(set.uri));
  const tensor = tensors.get(TENSOR);
  if (tensor === undefined || metadata['key'] !== set.key) {
    throw new TaskFailureError(
      'PERMANENT',
      'DIGEST_MISMATCH',
      `${set.uri} holds feature set ${metadata['key'] ?? 'unknown'}, but ${set.key} was asked for.`,
    );
  }
  return tensor;
}
