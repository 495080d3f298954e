import { dirname } from 'node:path';
import { STORE_MARKER_URI } from '../../core/artifact-names.ts';
import type { LeasedTask, TaskError, TaskResult } from '../../core/task.ts';
import { ArtifactCache, artifactCacheFolder } from '../../platform/artifacts/artifact-cache.ts';
import { inSpan } from '../../platform/telemetry/tracer.ts';
import { runEvaluateStage } from './evaluate-stage.ts';
import { runFeatureStage } from './feature-stage.ts';
import { runIndexStage } from './index-stage.ts';
import type { TaskPlaces } from './machine-error.ts';
import { resetPeakMemory } from './peak-memory.ts';
import { runProbeStage } from './probe-stage.ts';
import type { TaskContext, WorkerOptions } from './task-context.ts';
import { taskErrorOf } from './task-error.ts';
import { TaskStoppedError } from './task-link.ts';
import type { StopAction, TaskLink } from './task-link.ts';
import { runTrainStage } from './train-stage.ts';

/** Executes a task and reports its end: `completed`, `failed`, or `stopped` after `pause` or `stop`. Never throws. */
export async function runTask(task: LeasedTask, options: WorkerOptions, link: TaskLink): Promise<void> {
  const { taskId } = task;
  resetPeakMemory();
  try {
    const { stage, sweepId, traceparent } = task;
    const attributes = { 'graft.sweep_id': sweepId, 'graft.task_id': taskId, 'graft.stage': stage };
    const end = await inSpan(`task ${stage}`, { parent: traceparent, attributes }, () =>
      runStage({ ...options, task, link, cache: openCache(options) }),
    );
    if ('action' in end) link.emit({ type: 'stopped', taskId, action: end.action });
    else link.emit({ type: 'completed', taskId, result: end });
  } catch (error) {
    if (error instanceof TaskStoppedError) link.emit({ type: 'stopped', taskId, action: error.action });
    else
      link.emit({
        type: 'failed',
        taskId,
        error: await addDamagedFeatures(taskErrorOf(error, placesOf(task, options)), task, options),
      });
  }
}

function placesOf(task: LeasedTask, { artifacts, cacheDir }: WorkerOptions): TaskPlaces {
  const store = artifacts.localPath(STORE_MARKER_URI);
  return {
    store: store === null ? null : dirname(store),
    cache: cacheDir,
    data: task.dataset?.path ?? task.datasetSource.path,
  };
}

/**
 * Adds all other damaged feature sets to the error, so that they don't each cost an attempt. Returns the error unchanged if the
 * store can't be read.
 */
async function addDamagedFeatures(error: TaskError, task: LeasedTask, options: WorkerOptions): Promise<TaskError> {
  if (error.missingFeatureKeys === undefined || task.stage === 'FEATURES') return error;
  const cache = openCache(options);
  const keys = new Set(error.missingFeatureKeys);
  try {
    for (const { key, uri, sha256, sizeBytes } of task.featureSets) {
      if (keys.has(key) || uri === null || sha256 === null) continue;
      if (!(await cache.isIntact({ uri, sha256, sizeBytes }))) keys.add(key);
    }
    return { ...error, missingFeatureKeys: task.featureSets.map(({ key }) => key).filter((key) => keys.has(key)) };
  } catch {
    return error;
  }
}

async function runStage(context: TaskContext): Promise<TaskResult | { readonly action: StopAction }> {
  const { stage } = context.task;
  switch (stage) {
    case 'INDEX':
      return runIndexStage(context);
    case 'PROBE':
      return runProbeStage(context);
    case 'FEATURES':
      return runFeatureStage(context);
    case 'HEAD':
    case 'FINE_TUNE': {
      const { outcomes, action } = await runTrainStage(context, stage);
      return action === null ? { stage: 'TRAIN', outcomes } : { action };
    }
    case 'EVALUATE':
      return runEvaluateStage(context);
  }
}

function openCache({ artifacts, cacheDir, artifactCacheBytes = Infinity }: WorkerOptions): ArtifactCache {
  return new ArtifactCache({ store: artifacts, folder: artifactCacheFolder(cacheDir), maxBytes: artifactCacheBytes });
}
