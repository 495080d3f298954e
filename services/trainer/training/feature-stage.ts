import type { FeatureSetRef, TaskResult } from '../../core/task.ts';
import { hashFile } from '../../platform/files/hash-file.ts';
import type { Backbone } from '../backbones/backbone.ts';
import { describeWeights } from '../backbones/load.ts';
import { epochBatches } from '../data/batches.ts';
import type { IndexedDataset } from '../data/manifest.ts';
import { featureSetUri, findFeatureFile, writeFeatureFile } from './feature-file.ts';
import type { InputSpec } from './network.ts';
import { openSplitReader } from './split-reader.ts';
import type { SplitReader } from './split-reader.ts';
import { openBackbone, openDataset } from './task-context.ts';
import type { TaskContext } from './task-context.ts';
import { TaskFailureError } from './task-error.ts';

/** Larger ones are not faster on a CPU and cost memory: 32 images of 180 pixels take 265 MB in VGG16's first block. */
const BATCH_SIZE = 32;

/** Stage FEATURES: runs each split's images once through the frozen layers and stores the outputs. */
export async function runFeatureStage(context: TaskContext): Promise<TaskResult> {
  const startMs = performance.now();
  const indexed = await openDataset(context);
  const featureSets: FeatureSetRef[] = [];
  let backbone: Backbone | null = null;
  try {
    for (const set of context.task.featureSets) {
      const known = await describeFile(context, set);
      if (known !== null) {
        featureSets.push(known);
        continue;
      }
      if (backbone?.name !== set.backbone || backbone.inputSize !== set.imageSize) {
        backbone?.dispose();
        backbone = await openMatchingBackbone(context, set);
      }
      featureSets.push(await computeFeatures(context, set, indexed, backbone));
    }
  } finally {
    backbone?.dispose();
  }
  return { stage: 'FEATURES', featureSets, seconds: (performance.now() - startMs) / 1000 };
}

/** The set as it lies in the store, which an earlier attempt may have left; null when it is not there. */
async function describeFile({ artifacts }: TaskContext, set: FeatureSetRef): Promise<FeatureSetRef | null> {
  const shape = await findFeatureFile(artifacts, set.key);
  const uri = featureSetUri(set.key);
  const file = await artifacts.stat(uri);
  if (shape === null || file === null) return null;
  const [rowCount = 0, ...rest] = shape;
  const sha256 = await hashFile(artifacts.localPath(uri), 'sha256');
  return { ...set, uri, shape: rest, rowCount, sha256, sizeBytes: file.sizeBytes };
}

/** The base with the weights that the set's key names, of those that the sweep uses. */
async function openMatchingBackbone(context: TaskContext, set: FeatureSetRef): Promise<Backbone> {
  const { task, cacheDir, link } = context;
  const candidates = task.weightsReferences.filter(({ backbone }) => backbone === set.backbone);
  const found: string[] = [];
  for (const reference of candidates) {
    const { digest } = await describeWeights(reference, { cacheDir, onProgress: link.onProgress });
    if (digest === set.weightsDigest) return openBackbone(context, set.backbone, reference.weights, set.imageSize);
    found.push(`"${reference.weights}" has ${digest}`);
  }
  const detail = found.length === 0 ? 'the task names no weights of it' : `here ${found.join(', ')}`;
  throw new TaskFailureError(
    'PERMANENT',
    'DIGEST_MISMATCH',
    `The features ${set.key} need weights of ${set.backbone} with the digest ${set.weightsDigest}, but ${detail}. ` +
      'All trainers must have the same weight files.',
  );
}

async function computeFeatures(
  context: TaskContext,
  set: FeatureSetRef,
  indexed: IndexedDataset,
  backbone: Backbone,
): Promise<FeatureSetRef> {
  const { artifacts, cacheDir, link } = context;
  const input: InputSpec = { layer: set.cut ?? backbone.layers.at(-1)?.name ?? null, pooling: set.pooling };
  const reader = await openSplitReader({
    artifacts,
    cacheDir,
    indexed,
    backbone,
    split: set.split,
    inputs: [input],
    featureSets: [],
    augmentation: null,
    onProgress: link.onProgress,
  });
  try {
    const [height, width, channels] = backbone.outputShape(set.cut);
    const shape = set.pooling === 'none' ? [height, width, channels] : [channels];
    const rows = computeRows(context, reader, input, `features of the ${set.split} images`);
    const { uri, sha256, sizeBytes } = await writeFeatureFile(artifacts, set.key, shape, reader.count, rows);
    return { ...set, uri, shape, rowCount: reader.count, sha256, sizeBytes };
  } finally {
    reader.dispose();
  }
}

async function* computeRows(
  { link }: TaskContext,
  reader: SplitReader,
  input: InputSpec,
  detail: string,
): AsyncGenerator<Float32Array> {
  let done = 0;
  for (const indices of epochBatches({ count: reader.count, batchSize: BATCH_SIZE, order: null })) {
    const batch = reader.read(indices, 1);
    try {
      yield batch.input(input).dataSync<'float32'>();
    } finally {
      batch.dispose();
    }
    done += indices.length;
    await link.breatheOrStop(done, reader.count, detail);
  }
}
