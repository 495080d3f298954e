import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { ArtifactMissingError } from '../../core/errors.ts';
import { SAME_PATH_RULE } from '../../core/machine-fault.ts';
import { manifestUriOf } from '../../core/reports/check-index.ts';
import type { TaskResult } from '../../core/task.ts';
import { ArtifactExistsError } from '../../platform/artifacts/artifact-store.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { DatasetInvalidError, indexDataset } from '../data/index-dataset.ts';
import type { IndexOptions } from '../data/index-dataset.ts';
import { ManifestError, decodeManifest, encodeManifest } from '../data/manifest.ts';
import type { IndexedDataset } from '../data/manifest.ts';
import { TaskFailureError } from './task-error.ts';
import { resolveWeights } from './resolve-weights.ts';
import type { TaskContext } from './task-context.ts';

/** Executes INDEX: resolves the weights that the sweep names, checks every image, and stores the manifest. */
export async function runIndexStage(context: TaskContext): Promise<TaskResult> {
  const { task, artifacts, cacheDir, dataRoot = null, link } = context;
  const { onProgress } = link;
  // First, because it may take seconds where the images take minutes.
  const { weights, missingWeights } = await resolveWeights(context);
  const indexed = await indexHere({ source: task.datasetSource, cacheDir, dataRoot, onProgress });
  const manifestUri = manifestUriOf(indexed.dataset.digest);
  await storeManifest(artifacts, manifestUri, encodeManifest(indexed));
  return { stage: 'INDEX', dataset: indexed.dataset, manifestUri, weights, missingWeights };
}

/** @throws {TaskFailureError} when this machine can't read the folder; otherwise the errors of `indexDataset`. */
async function indexHere(options: IndexOptions): Promise<IndexedDataset> {
  try {
    return await indexDataset(options);
  } catch (error) {
    if (!(error instanceof DatasetInvalidError)) throw error;
    const { path, problems, message } = error;
    const isUnreadable = problems.some(({ code, fatal }) => code === 'UNREADABLE' && fatal);
    const names = await readdir(path).catch(() => null);
    // A mount point without its file system is an empty folder.
    if (names !== null && names.length > 0 && !isUnreadable) throw error;
    const what = names === null ? "can't be read" : names.length === 0 ? 'is empty' : "can't be read as a whole";
    throw new TaskFailureError(
      'PERMANENT',
      (names ?? []).length === 0 ? 'DATA_MISSING' : 'DATA_UNREADABLE',
      `${message}\n${path} ${what} on host ${hostname()}. ${SAME_PATH_RULE}`,
      { datasetProblems: problems },
    );
  }
}

/**
 * Stores a manifest. A manifest of this name may exist: that of the same images in another folder, which differs in the folder
 * only. A damaged one is replaced.
 */
async function storeManifest(artifacts: ArtifactStore, uri: string, bytes: Buffer): Promise<void> {
  try {
    await artifacts.write(uri, bytes);
  } catch (error) {
    if (!(error instanceof ArtifactExistsError)) throw error;
    if (await isManifest(artifacts, uri)) return;
    await artifacts.remove(uri);
    await artifacts.write(uri, bytes);
  }
}

async function isManifest(artifacts: ArtifactStore, uri: string): Promise<boolean> {
  try {
    const { dataset } = decodeManifest(uri, await artifacts.read(uri));
    return uri === manifestUriOf(dataset.digest);
  } catch (error) {
    if (error instanceof ManifestError || error instanceof ArtifactMissingError) return false;
    throw error;
  }
}
