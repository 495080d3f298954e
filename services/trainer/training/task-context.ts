import { resolve } from 'node:path';
import { ArtifactMissingError } from '../../core/errors.ts';
import { poolingOf } from '../../core/planner/feature-set.ts';
import type { RunConfig } from '../../core/run-config.ts';
import { compileRunConfig } from '../../core/search-space/compile.ts';
import type { FeatureSetRef, LeasedTask, TaskRun } from '../../core/task.ts';
import type { ArtifactCache } from '../../platform/artifacts/artifact-cache.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { loadBackbone } from '../backbones/load.ts';
import { backboneShape } from '../backbones/graph-backbone.ts';
import type { Backbone, BackboneShape } from '../backbones/backbone.ts';
import { requireInside } from '../data/data-root.ts';
import { ManifestError, decodeManifest } from '../data/manifest.ts';
import type { IndexedDataset } from '../data/manifest.ts';
import { TaskFailureError, damageError } from './task-error.ts';
import type { TaskLink } from './task-link.ts';

/** Settings of a worker process, which are the same for all of its tasks. */
export interface WorkerOptions {
  readonly artifacts: ArtifactStore;
  readonly cacheDir: string;
  /** Folder in which images and weights must lie after links are resolved. Null or undefined: no limit. */
  readonly dataRoot?: string | null;
  /** Maximum size of the copies of a remote store's files. Default: unlimited. */
  readonly artifactCacheBytes?: number;
  /**
   * Decodes images while the base computes the features of the first ones. Default: true on a GPU, during whose work the
   * CPU is idle. On a CPU it would only take more memory.
   */
  readonly decodesBeside?: boolean;
  /** Minimum number of seconds between two saves of the latest state. */
  readonly checkpointSeconds: number;
}

/** The environment of a task's execution. */
export interface TaskContext extends WorkerOptions {
  readonly task: LeasedTask;
  readonly link: TaskLink;
  /** Local copies of the artifact store's files. */
  readonly cache: ArtifactCache;
}

/**
 * Opens the data set that the task's manifest describes.
 *
 * @throws {TaskFailureError} when the task has none, or its manifest is missing or damaged.
 * @throws {PathOutsideError} when its folder is outside `dataRoot`.
 */
export async function openDataset({ task, artifacts, dataRoot = null }: TaskContext): Promise<IndexedDataset> {
  const { dataset, manifestUri, taskId, datasetSource } = task;
  if (dataset === null || manifestUri === null) {
    throw new TaskFailureError('PERMANENT', 'TASK_INVALID', `Task ${taskId} (${task.stage}) has no data set.`);
  }
  // The sweep's folder. A coordinator of an earlier version sends the folder in which the same images were indexed last.
  const path = resolve(datasetSource.path);
  await requireInside(dataRoot, path, 'dataset.path');
  const { images, dataset: indexed } = await readManifest(artifacts, manifestUri);
  if (indexed.digest !== dataset.digest) {
    throw damagedManifest(
      'DIGEST_MISMATCH',
      `The manifest ${manifestUri} describes data set ${indexed.digest}, but the task needs ${dataset.digest}.`,
    );
  }
  // The manifest has the folder in which the content was indexed first.
  return { dataset: { ...dataset, path }, images };
}

async function readManifest(artifacts: ArtifactStore, uri: string): Promise<IndexedDataset> {
  try {
    return decodeManifest(uri, await artifacts.read(uri));
  } catch (error) {
    if (error instanceof ArtifactMissingError) {
      throw damagedManifest('MANIFEST_MISSING', `The manifest ${error.message}`);
    }
    if (error instanceof ManifestError) throw damagedManifest('MANIFEST_DAMAGED', error.message);
    throw error;
  }
}

function damagedManifest(code: string, message: string): TaskFailureError {
  return damageError(code, message, { manifestDamaged: true });
}

/** Opens the base that the task trains on. Its weights are not loaded when the task computes nothing with them. */
export async function openTrainingBase(
  context: TaskContext,
  { backbone, imageSize }: Pick<RunConfig, 'backbone' | 'imageSize'>,
): Promise<BackboneShape> {
  const weightsDigest = digestOfStoredBase(context.task, backbone.name, imageSize);
  if (weightsDigest !== null) return backboneShape(backbone.name, imageSize, weightsDigest);
  return openBackbone(context, backbone.name, backbone.weights, imageSize);
}

/** Loads a base and reports progress. */
export async function openBackbone(
  { cacheDir, dataRoot = null, link }: TaskContext,
  backbone: string,
  weights: string,
  inputSize: number,
): Promise<Backbone> {
  await requireWeightsInside(dataRoot, weights);
  return loadBackbone({ backbone, weights, inputSize, cacheDir, onProgress: link.onProgress });
}

/**
 * Checks a weights reference: a name, or the path of a file.
 *
 * @throws {PathOutsideError} when the file is outside `dataRoot`.
 */
export async function requireWeightsInside(dataRoot: string | null, weights: string): Promise<void> {
  if (weights !== 'imagenet' && weights !== 'random') await requireInside(dataRoot, weights, 'weights');
}

/**
 * Returns the digest of the weights from which all features of the task's runs were computed; null if the runs need the base
 * itself. Heads on cached features don't need it, and their feature sets contain the digest.
 */
function digestOfStoredBase(task: LeasedTask, backbone: string, inputSize: number): string | null {
  if (task.stage !== 'HEAD') return null;
  const sets = task.featureSets.filter((set) => set.backbone === backbone && set.imageSize === inputSize);
  const digests = new Set(sets.map((set) => set.weightsDigest));
  const [digest] = digests;
  if (digest === undefined || digests.size > 1) return null;
  return task.runs.every((run) => run.stopped || readsOnly(run, sets)) ? digest : null;
}

function readsOnly({ parameters }: TaskRun, sets: readonly FeatureSetRef[]): boolean {
  let config: RunConfig;
  try {
    config = compileRunConfig(parameters);
  } catch {
    // The stage reports the invalid parameters.
    return true;
  }
  if (config.method !== 'cached') return false;
  const pooling = poolingOf(config.head);
  return (['train', 'validation'] as const).every((split) =>
    sets.some((set) => set.split === split && set.cut === config.backbone.cut && set.pooling === pooling),
  );
}
