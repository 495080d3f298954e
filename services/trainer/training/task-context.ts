import type { LeasedTask } from '../../core/task.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { loadBackbone } from '../backbones/load.ts';
import type { Backbone } from '../backbones/backbone.ts';
import { readManifest } from '../data/manifest.ts';
import type { IndexedDataset } from '../data/manifest.ts';
import { TaskFailureError } from './task-error.ts';
import type { TaskLink } from './task-link.ts';

/** What a worker process gives to every task. */
export interface WorkerOptions {
  readonly artifacts: ArtifactStore;
  readonly cacheDir: string;
  /** Least seconds between two saves of the newest state. */
  readonly checkpointSeconds: number;
}

/** What an executor works with. */
export interface TaskContext extends WorkerOptions {
  readonly task: LeasedTask;
  readonly link: TaskLink;
}

/**
 * The data set that the task's manifest describes.
 *
 * @throws {TaskFailureError} when the task has none, {ManifestError} for a damaged one
 */
export async function openDataset({ task, artifacts }: TaskContext): Promise<IndexedDataset> {
  const { dataset, manifestUri, taskId } = task;
  if (dataset === null || manifestUri === null) {
    throw new TaskFailureError('PERMANENT', 'TASK_INVALID', `Task ${taskId} (${task.stage}) came without a data set.`);
  }
  if ((await artifacts.stat(manifestUri)) === null) {
    throw new TaskFailureError(
      'PERMANENT',
      'ARTIFACT_MISSING',
      `The manifest ${manifestUri} is not in the artifact store. All trainers must share one store.`,
    );
  }
  const { images, dataset: indexed } = await readManifest(artifacts.localPath(manifestUri));
  if (indexed.digest !== dataset.digest) {
    throw new TaskFailureError(
      'PERMANENT',
      'DIGEST_MISMATCH',
      `The manifest ${manifestUri} describes data set ${indexed.digest}, but the task is about ${dataset.digest}.`,
    );
  }
  // The same images may lie in another folder now.
  return { dataset, images };
}

/** Loads a base and reports progress meanwhile. */
export function openBackbone(
  { cacheDir, link }: TaskContext,
  backbone: string,
  weights: string,
  inputSize: number,
): Promise<Backbone> {
  return loadBackbone({ backbone, weights, inputSize, cacheDir, onProgress: link.onProgress });
}
