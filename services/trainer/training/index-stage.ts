import { ArtifactMissingError } from '../../core/errors.ts';
import type { TaskResult, WeightsInfo } from '../../core/task.ts';
import { ArtifactExistsError } from '../../platform/artifacts/artifact-store.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { checkWeights, describeWeights } from '../backbones/load.ts';
import { indexDataset } from '../data/index-dataset.ts';
import { ManifestError, decodeManifest, encodeManifest } from '../data/manifest.ts';
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
  const indexed = await indexDataset({ source: task.datasetSource, cacheDir, dataRoot, onProgress });
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

/** Place of a manifest in the artifact store. */
function manifestUriOf(digest: string): string {
  return `datasets/${digest}.jsonl`;
}
