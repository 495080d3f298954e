import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { ArtifactMissingError } from '../../core/errors.ts';
import { SAME_PATH_RULE } from '../../core/machine-fault.ts';
import { manifestUriOf } from '../../core/reports/check-index.ts';
import type { TaskResult, WeightsInfo } from '../../core/task.ts';
import { ArtifactExistsError } from '../../platform/artifacts/artifact-store.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { checkWeights, describeWeights } from '../backbones/load.ts';
import { DatasetInvalidError, indexDataset } from '../data/index-dataset.ts';
import type { IndexOptions } from '../data/index-dataset.ts';
import { ManifestError, decodeManifest, encodeManifest } from '../data/manifest.ts';
import type { IndexedDataset } from '../data/manifest.ts';
import { TaskFailureError } from './task-error.ts';
import { requireWeightsInside } from './task-context.ts';
import type { TaskContext } from './task-context.ts';

/** Stage INDEX: looks at every image, stores the manifest, and finds the weights that the sweep names. */
export async function runIndexStage({
  task,
  artifacts,
  cacheDir,
  dataRoot = null,
  link,
}: TaskContext): Promise<TaskResult> {
  const { onProgress } = link;
  const indexed = await indexHere({ source: task.datasetSource, cacheDir, dataRoot, onProgress });
  const manifestUri = manifestUriOf(indexed.dataset.digest);
  await storeManifest(artifacts, manifestUri, encodeManifest(indexed));
  const weights: WeightsInfo[] = [];
  for (const reference of task.weightsReferences) {
    await link.breatheOrStop(weights.length, task.weightsReferences.length, `weights of ${reference.backbone}`);
    await requireWeightsInside(dataRoot, reference.weights);
    await checkWeights(reference, { cacheDir, onProgress });
    weights.push(await describeWeights(reference, { cacheDir, onProgress }));
  }
  return { stage: 'INDEX', dataset: indexed.dataset, manifestUri, weights };
}

/** @throws TaskFailureError where it is this machine that can't read the folder; what `indexDataset` throws */
async function indexHere(options: IndexOptions): Promise<IndexedDataset> {
  try {
    return await indexDataset(options);
  } catch (error) {
    if (!(error instanceof DatasetInvalidError)) throw error;
    const { path, problems, message } = error;
    const isUnreadable = problems.some(({ code, fatal }) => code === 'UNREADABLE' && fatal);
    const names = await readdir(path).catch(() => null);
    // An empty folder is what a mount point is without its file system.
    if (names !== null && names.length > 0 && !isUnreadable) throw error;
    const what = names === null ? "can't be read" : names.length === 0 ? 'is empty' : "can't be read as a whole";
    const told = `${message}\n${path} ${what} on host ${hostname()}. ${SAME_PATH_RULE}`;
    throw new TaskFailureError(
      'PERMANENT',
      (names ?? []).length === 0 ? 'DATA_MISSING' : 'DATA_UNREADABLE',
      told,
      problems,
    );
  }
}

/**
 * The same images in another folder have a manifest of this name too; it differs in the folder only. One that is damaged is
 * replaced.
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
