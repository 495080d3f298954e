import { hostname } from 'node:os';
import type { FeatureSetRef, TaskResult } from '../../core/task.ts';
import type { StoredArtifact } from '../../platform/artifacts/artifact-store.ts';
import { inSpan } from '../../platform/telemetry/tracer.ts';
import type { Backbone } from '../backbones/backbone.ts';
import { describeWeights } from '../backbones/load.ts';
import type { IndexedDataset } from '../data/manifest.ts';
import { engineInfo } from '../engine/engine.ts';
import type { FeatureLayout } from './feature-file.ts';
import { findStoredFeatures, partImagesOf, storeFeatures } from './feature-parts.ts';
import type { InputSpec } from './network.ts';
import { openSplitReader } from './split-reader.ts';
import type { SplitReader } from './split-reader.ts';
import { openBackbone, openDataset } from './task-context.ts';
import type { TaskContext } from './task-context.ts';
import { TaskFailureError } from './task-error.ts';

/**
 * Images of one forward pass. On a CPU, larger batches are not faster and cost memory: 32 images of 180 pixels take 265 MB in
 * VGG16's first block. 32 images don't fill a GPU.
 */
export const FEATURE_BATCH_SIZE = { cpu: 32, gpu: 128 } as const;

/** Executes FEATURES: runs each split's images once through the frozen layers and stores the outputs. */
export async function runFeatureStage(context: TaskContext): Promise<TaskResult> {
  const startMs = performance.now();
  const indexed = await openDataset(context);
  const featureSets: FeatureSetRef[] = [];
  const base = new CurrentBackbone(context);
  try {
    // Other tasks may have stored some of the sets since this task was planned.
    for (const set of context.task.featureSets) {
      featureSets.push(
        set.uri === null ? await extract({ context, set, indexed, backbone: await base.for(set) }) : set,
      );
    }
  } finally {
    base.dispose();
  }
  return { stage: 'FEATURES', featureSets, seconds: (performance.now() - startMs) / 1000 };
}

/** Keeps the base of the previous set open, for a next set of the same base. */
class CurrentBackbone {
  readonly #context: TaskContext;
  #backbone: Backbone | null = null;

  constructor(context: TaskContext) {
    this.#context = context;
  }

  async for(set: FeatureSetRef): Promise<Backbone> {
    const { name, inputSize, weightsDigest } = this.#backbone ?? {};
    if (this.#backbone !== null && name === set.backbone && inputSize === set.imageSize) {
      if (weightsDigest === set.weightsDigest) return this.#backbone;
    }
    this.dispose();
    return (this.#backbone = await openMatchingBackbone(this.#context, set));
  }

  dispose(): void {
    this.#backbone?.dispose();
    this.#backbone = null;
  }
}

/** Opens the base with the weights of this digest, from which the sweep was planned. */
export async function openMatchingBackbone(
  context: TaskContext,
  set: Pick<FeatureSetRef, 'backbone' | 'weightsDigest' | 'imageSize'>,
): Promise<Backbone> {
  const { task, cacheDir, link } = context;
  const candidates = task.weightsReferences.filter(({ backbone }) => backbone === set.backbone);
  const found: string[] = [];
  for (const reference of candidates) {
    const { digest } = await describeWeights(reference, { cacheDir, onProgress: link.onProgress });
    if (digest === set.weightsDigest) return openBackbone(context, set.backbone, reference.weights, set.imageSize);
    found.push(`"${reference.weights}" has ${digest}`);
  }
  const detail = found.length === 0 ? 'the task names no weights of this backbone' : `here ${found.join(', ')}`;
  throw new TaskFailureError(
    'PERMANENT',
    'DIGEST_MISMATCH',
    `The features need weights of ${set.backbone} with the digest ${set.weightsDigest}, but ${detail} ` +
      `(host ${hostname()}). All trainers must have the same weight files.`,
  );
}

/** The features to compute. */
interface Extraction {
  readonly context: TaskContext;
  readonly set: FeatureSetRef;
  readonly indexed: IndexedDataset;
  readonly backbone: Backbone;
}

async function extract(extraction: Extraction): Promise<FeatureSetRef> {
  const { context, set, indexed, backbone } = extraction;
  const batchSize = FEATURE_BATCH_SIZE[engineInfo().deviceKind];
  const imageCount = indexed.images.filter(({ split }) => split === set.split).length;
  const [height, width, channels] = backbone.outputShape(set.cut);
  const shape = set.pooling === 'none' ? [height, width, channels] : [channels];
  const dtype = set.dtype === 'float16' ? 'F16' : 'F32';
  const partImages = partImagesOf({ dtype, shape }, batchSize);
  const layout: FeatureLayout = { key: set.key, dtype, shape, imageCount, partImages };
  const attributes = { 'graft.split': set.split, 'graft.backbone': set.backbone, 'graft.image_count': imageCount };
  const { uri, sha256, sizeBytes } =
    (await findStoredFeatures(context.artifacts, layout)) ??
    (await inSpan('extract features', { attributes }, () => compute(extraction, layout, batchSize)));
  return { ...set, uri, shape, rowCount: imageCount, sha256, sizeBytes };
}

async function compute(
  { context, set, indexed, backbone }: Extraction,
  layout: FeatureLayout,
  batchSize: number,
): Promise<StoredArtifact> {
  const { artifacts, cache, cacheDir, decodesBeside, link, task } = context;
  const input: InputSpec = { layer: set.cut ?? backbone.layers.at(-1)?.name ?? null, pooling: set.pooling };
  const reader = await openSplitReader({
    cache,
    cacheDir,
    indexed,
    backbone,
    split: set.split,
    inputs: [input],
    featureSets: [],
    augmentation: null,
    microBatchDivisor: task.microBatchDivisor,
    beforeDecoded: decodesBeside ?? engineInfo().deviceKind === 'gpu',
    onProgress: link.onProgress,
  });
  const detail = `features of the ${set.split} images`;
  try {
    const stored = await storeFeatures(artifacts, layout, async function* (start, end) {
      for (let first = start; first < end; first += batchSize) {
        const next = Math.min(first + batchSize, end);
        await reader.decoded(next);
        yield outputsOf(reader, input, first, next);
        await link.breatheOrStop(next, reader.count, detail);
      }
    });
    // The decoded images are kept for runs that train with augmentation.
    await reader.decoded(reader.count);
    return stored;
  } finally {
    reader.dispose();
  }
}

export function outputsOf(reader: SplitReader, input: InputSpec, start: number, end: number): Float32Array {
  const batch = reader.read(
    Uint32Array.from({ length: end - start }, (_, index) => start + index),
    1,
  );
  try {
    return batch.input(input).dataSync<'float32'>();
  } finally {
    batch.dispose();
  }
}
