import { createHash } from 'node:crypto';
import { logMe } from '../../core/statistics/log-me.ts';
import { outOfFoldRidge } from '../../core/statistics/ridge.ts';
import { spectrumOf } from '../../core/statistics/spectrum.ts';
import type { FeatureRows } from '../../core/statistics/spectrum.ts';
import type { ProbeOrder, TaskResult } from '../../core/task.ts';
import { inSpan } from '../../platform/telemetry/tracer.ts';
import type { Backbone } from '../backbones/backbone.ts';
import type { IndexedDataset } from '../data/manifest.ts';
import { drawProbeImages, stratifiedFolds } from '../data/probe-images.ts';
import { engineInfo, tf } from '../engine/engine.ts';
import type { Tensor4D } from '../engine/engine.ts';
import { FEATURE_BATCH_SIZE, openMatchingBackbone, outputsOf } from './feature-stage.ts';
import type { InputSpec } from './network.ts';
import { pool } from './pooling.ts';
import { openSplitReader } from './split-reader.ts';
import type { SplitReader } from './split-reader.ts';
import { openDataset } from './task-context.ts';
import type { TaskContext } from './task-context.ts';
import { TaskFailureError } from './task-error.ts';

const FOLD_COUNT = 5;
/** Forward passes of one image before the clock counts: the first ones allocate and choose kernels. */
const WARM_UPS = 3;
const FEWEST_PASSES = 5;
const MOST_PASSES = 25;
/** Seconds after which the latency is not measured more precisely. */
const LATENCY_SECONDS = 1.5;

/**
 * Executes PROBE: computes the pooled features of some images as FEATURES does, and measures how well a ridge regression on them
 * predicts images that it has not seen. Nothing is stored: a killed probe is repeated.
 */
export async function runProbeStage(context: TaskContext): Promise<TaskResult> {
  const startMs = performance.now();
  const { probe, taskId } = context.task;
  if (probe === undefined) {
    throw new TaskFailureError('PERMANENT', 'TASK_INVALID', `Task ${taskId} (PROBE) does not say what to measure.`);
  }
  const indexed = await openDataset(context);
  const probed = probedImages(indexed, probe);
  const backbone = await openMatchingBackbone(context, probe);
  try {
    const { rows, latencySeconds } = await measureBase(context, probe, probed, backbone);
    const labels = probed.images.map(({ label }) => label);
    const classCount = indexed.dataset.classNames.length;
    await context.link.breatheOrStop(rows.rowCount, rows.rowCount, 'ridge regression on the probed images');
    const folds = stratifiedFolds(labels, Math.min(FOLD_COUNT, labels.length), indexed.dataset.digest);
    const { predicted, penalty } = await inSpan('fit ridge', {}, () =>
      Promise.resolve(outOfFoldRidge(rows, labels, classCount, folds)),
    );
    await context.link.breatheOrStop(rows.rowCount, rows.rowCount, 'LogME of the probed images');
    return {
      stage: 'PROBE',
      correct: bitsOf(labels, predicted),
      imageCount: rows.rowCount,
      logMe: logMe(spectrumOf(rows), rows.columnCount, labels, classCount),
      penalty,
      latencySeconds,
      featureCount: rows.columnCount,
      seconds: (performance.now() - startMs) / 1000,
    };
  } finally {
    backbone.dispose();
  }
}

/**
 * Returns the images of a probe as a data set of their own with one split, so that the cache of decoded images keeps them apart from
 * those of the whole data set. Probes of the same size share them.
 */
function probedImages({ dataset, images }: IndexedDataset, probe: ProbeOrder): IndexedDataset {
  const drawn = drawProbeImages({ dataset, images }, probe);
  const digest = createHash('sha256').update(`probe\n${dataset.digest}\n`);
  for (const { sha256 } of drawn) digest.update(sha256);
  return {
    dataset: { ...dataset, digest: digest.digest('hex') },
    images: drawn.map((image) => ({ ...image, split: 'train' })),
  };
}

interface BaseMeasurement {
  readonly rows: FeatureRows;
  readonly latencySeconds: number;
}

async function measureBase(
  context: TaskContext,
  probe: ProbeOrder,
  probed: IndexedDataset,
  backbone: Backbone,
): Promise<BaseMeasurement> {
  const { cache, cacheDir, link, task } = context;
  const input: InputSpec = { layer: probe.cut ?? backbone.layers.at(-1)?.name ?? null, pooling: probe.pooling };
  const reader = await openSplitReader({
    cache,
    cacheDir,
    indexed: probed,
    backbone,
    split: 'train',
    inputs: [input],
    featureSets: [],
    augmentation: null,
    microBatchDivisor: task.microBatchDivisor,
    onProgress: link.onProgress,
  });
  try {
    const rows = await readFeatures(context, reader, input);
    return { rows, latencySeconds: await measureLatency(context, reader, backbone, input) };
  } finally {
    reader.dispose();
  }
}

async function readFeatures({ link }: TaskContext, reader: SplitReader, input: InputSpec): Promise<FeatureRows> {
  const batchSize = FEATURE_BATCH_SIZE[engineInfo().deviceKind];
  const parts: Float32Array[] = [];
  for (let first = 0; first < reader.count; first += batchSize) {
    const next = Math.min(first + batchSize, reader.count);
    parts.push(outputsOf(reader, input, first, next));
    await link.breatheOrStop(next, reader.count, 'features of the probed images');
  }
  const columnCount = (parts[0]?.length ?? 0) / Math.min(batchSize, reader.count);
  const values = new Float32Array(reader.count * columnCount);
  for (const [place, part] of parts.entries()) values.set(part, place * batchSize * columnCount);
  return { values, rowCount: reader.count, columnCount };
}

/** Returns the median seconds in which the device computes the features of one image, from pixels in its memory. */
async function measureLatency(
  { link }: TaskContext,
  reader: SplitReader,
  backbone: Backbone,
  { layer, pooling }: InputSpec,
): Promise<number> {
  const batch = reader.read(Uint32Array.of(0), 1);
  const seconds: number[] = [];
  try {
    const image = batch.input({ layer: null, pooling: 'none' }) as Tensor4D;
    const startMs = performance.now();
    for (let pass = 0; pass < WARM_UPS + MOST_PASSES; pass++) {
      const beganMs = performance.now();
      tf.tidy(() => pool(backbone.forward(image, { to: layer }), pooling).dataSync());
      if (pass >= WARM_UPS) seconds.push((performance.now() - beganMs) / 1000);
      await link.breatheOrStop(reader.count, reader.count, 'latency of one image');
      if (seconds.length >= FEWEST_PASSES && performance.now() - startMs > LATENCY_SECONDS * 1000) break;
    }
  } finally {
    batch.dispose();
  }
  const sorted = seconds.sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Returns a bit for each image: whether its class was predicted. */
function bitsOf(labels: readonly number[], predicted: Int32Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(labels.length / 8));
  for (const [image, label] of labels.entries()) {
    if (predicted[image] === label) bits[image >> 3] = (bits[image >> 3] ?? 0) | (1 << (image & 7));
  }
  return bits;
}
