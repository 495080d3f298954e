import type { Split } from '../../core/dataset.ts';
import type { AugmentationConfig } from '../../core/run-config.ts';
import type { FeatureSetRef, Pooling } from '../../core/task.ts';
import type { ArtifactCache } from '../../platform/artifacts/artifact-cache.ts';
import { augmentBatch } from '../augmentation/augment.ts';
import { drawMix, mixImages, mixLabels } from '../augmentation/mix.ts';
import type { MixDraw } from '../augmentation/mix.ts';
import { requireWeights } from '../backbones/backbone.ts';
import type { BackboneShape } from '../backbones/backbone.ts';
import { openImageCache } from '../data/image-cache.ts';
import type { ImageCache } from '../data/image-cache.ts';
import type { IndexedDataset } from '../data/manifest.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';
import { unmixed } from '../heads/batch-labels.ts';
import type { BatchLabels, LabelMix } from '../heads/batch-labels.ts';
import type { ProgressListener } from '../engine/progress.ts';
import { executeOp, intAttribute, typeAttribute } from '../engine/op.ts';
import { openFeatureRows } from './feature-file.ts';
import type { FeatureRows } from './feature-file.ts';
import { computeInParts } from './micro-batches.ts';
import type { InputSpec } from './network.ts';
import { pool } from './pooling.ts';
import { TaskFailureError } from './task-error.ts';

const GATHER = [
  typeAttribute('Tparams', 'float32'),
  typeAttribute('Tindices', 'int32'),
  typeAttribute('Taxis', 'int32'),
  intAttribute('batch_dims', 0),
];

/** Inputs and labels of some images. Each input is computed once and shared. */
export interface Batch extends BatchLabels {
  /** Returns an input, which the batch owns. */
  input(spec: InputSpec): Tensor;
  dispose(): void;
}

/** Reads the images of one split as the inputs of networks. */
export interface SplitReader {
  readonly count: number;
  readonly labels: Int32Array;
  /** Paths of the manifest. */
  readonly paths: readonly string[];
  /** Resolves when the first `count` images can be read. */
  decoded(count: number): Promise<void>;
  /**
   * Reads a batch.
   *
   * @param indices of images within the split, in manifest order.
   * @param epoch from 1; only augmentation depends on it. MixUp and CutMix mix images and labels of the batch.
   */
  read(indices: Uint32Array, epoch: number): Batch;
  dispose(): void;
}

export interface SplitReaderOptions {
  readonly cache: ArtifactCache;
  /** Folder of decoded images. */
  readonly cacheDir: string;
  readonly indexed: IndexedDataset;
  readonly backbone: BackboneShape;
  readonly split: Split;
  /** All inputs that will be requested. */
  readonly inputs: readonly InputSpec[];
  /** Stored features. Other inputs are computed from the images at each read. */
  readonly featureSets: readonly FeatureSetRef[];
  readonly augmentation: AugmentationConfig | null;
  /** Number of micro-batches in which the frozen layers process a batch; default 1. */
  readonly microBatchDivisor?: number;
  /** Opens while images are still being decoded, without reporting that progress; readers wait for `decoded`. Default: false. */
  readonly beforeDecoded?: boolean;
  readonly onProgress: ProgressListener;
}

export async function openSplitReader(options: SplitReaderOptions): Promise<SplitReader> {
  const { indexed, split, backbone, cacheDir, beforeDecoded = false, onProgress } = options;
  const images = indexed.images.filter((image) => image.split === split);
  const stored = new Map<string, StoredRows>();
  const missing: InputSpec[] = [];
  for (const spec of distinct(options.inputs)) {
    const set = options.augmentation === null ? findFeatureSet(options, spec) : undefined;
    if (set === undefined) missing.push(spec);
    else stored.set(inputKey(spec), await openStoredRows(options.cache, set, images.length));
  }
  const cache =
    missing.length === 0
      ? null
      : await openImageCache({
          dataset: indexed.dataset,
          images: indexed.images,
          split,
          size: backbone.inputSize,
          cacheDir,
          beforeDecoded,
          ...(beforeDecoded ? {} : { onProgress }),
        });
  const labels = Int32Array.from(images, ({ label }) => label);
  const { augmentation, microBatchDivisor = 1 } = options;
  return new DatasetSplitReader({ backbone, cache, stored, augmentation, microBatchDivisor, labels, images });
}

interface ReaderParts {
  readonly backbone: BackboneShape;
  readonly cache: ImageCache | null;
  readonly stored: ReadonlyMap<string, StoredRows>;
  readonly augmentation: AugmentationConfig | null;
  readonly microBatchDivisor: number;
  readonly labels: Int32Array;
  readonly images: readonly { readonly path: string }[];
}

class DatasetSplitReader implements SplitReader {
  readonly count: number;
  readonly labels: Int32Array;
  readonly paths: readonly string[];
  readonly #parts: ReaderParts;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.count = parts.images.length;
    this.labels = parts.labels;
    this.paths = parts.images.map(({ path }) => path);
  }

  async decoded(count: number): Promise<void> {
    await this.#parts.cache?.decoded(count);
  }

  read(indices: Uint32Array, epoch: number): Batch {
    const labels = Array.from(indices, (index) => this.labels[index] ?? 0);
    const { augmentation, backbone } = this.#parts;
    const mixing = augmentation === null ? null : drawMix(augmentation, { epoch, indices }, backbone.inputSize);
    return new LazyBatch(labels, mixing, this.#parts, indices, epoch);
  }

  dispose(): void {
    for (const rows of this.#parts.stored.values()) rows.dispose();
    this.#parts.cache?.close();
  }
}

class LazyBatch implements Batch {
  readonly labels: readonly number[];
  readonly mix: LabelMix | null;
  readonly #mixing: MixDraw | null;
  readonly #parts: ReaderParts;
  readonly #indices: Uint32Array;
  readonly #epoch: number;
  readonly #made = new Map<string, Tensor>();

  constructor(
    labels: readonly number[],
    mixing: MixDraw | null,
    parts: ReaderParts,
    indices: Uint32Array,
    epoch: number,
  ) {
    const mixed = mixing === null ? unmixed(labels) : mixLabels(labels, mixing);
    this.labels = mixed.labels;
    this.mix = mixed.mix;
    this.#mixing = mixing;
    this.#parts = parts;
    this.#indices = indices;
    this.#epoch = epoch;
  }

  input(spec: InputSpec): Tensor {
    const stored = this.#parts.stored.get(inputKey(spec));
    if (stored !== undefined) return this.#once(inputKey(spec), () => stored.gather(this.#indices));
    if (spec.layer === null) return this.#images();
    const { backbone, microBatchDivisor } = this.#parts;
    const outputs = this.#once(inputKey({ layer: spec.layer, pooling: 'none' }), () =>
      computeInParts(this.#images(), microBatchDivisor, (rows) =>
        requireWeights(backbone).forward(rows as Tensor4D, { to: spec.layer }),
      ),
    );
    if (spec.pooling === 'none') return outputs;
    return this.#once(inputKey(spec), () => tf.tidy(() => pool(outputs as Tensor4D, spec.pooling)));
  }

  dispose(): void {
    for (const tensor of this.#made.values()) tensor.dispose();
    this.#made.clear();
  }

  #images(): Tensor4D {
    return this.#once('images', () => {
      const { cache, augmentation } = this.#parts;
      if (cache === null) throw new RangeError('unreachable: the reader was opened without images');
      const images = cache.read(this.#indices);
      if (augmentation === null) return images;
      const augmented = augmentBatch(images, augmentation, { epoch: this.#epoch, indices: this.#indices });
      images.dispose();
      if (this.#mixing === null) return augmented;
      const mixed = mixImages(augmented, this.#mixing);
      augmented.dispose();
      return mixed;
    }) as Tensor4D;
  }

  #once(key: string, make: () => Tensor): Tensor {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = tf.keep(make());
    this.#made.set(key, made);
    return made;
  }
}

/** The rows of a stored feature set. */
interface StoredRows {
  /** Returns a tensor [indices, …shape], which the caller owns. */
  gather(indices: Uint32Array): Tensor;
  dispose(): void;
}

/**
 * Maximum size of a set that TensorFlow holds in memory. A larger set, such as all outputs of a middle layer, stays on the disk
 * and, while memory suffices, in the kernel's page cache. Reading the 8 MB of a batch takes 2 ms; the step takes hundreds.
 */
const MOST_HELD_BYTES = 256 * 2 ** 20;

async function openStoredRows(cache: ArtifactCache, set: FeatureSetRef, imageCount: number): Promise<StoredRows> {
  const rows = await openFeatureRows(cache, set);
  if (rows.rowCount !== imageCount) {
    rows.close();
    throw new TaskFailureError(
      'PERMANENT',
      'DIGEST_MISMATCH',
      `Feature set ${set.key} has ${rows.rowCount} rows, but the ${set.split} split has ${imageCount} images.`,
    );
  }
  return rows.float32Bytes <= MOST_HELD_BYTES ? holdRows(rows) : readRows(rows);
}

function readRows(rows: FeatureRows): StoredRows {
  return {
    gather: (indices) => tf.tensor(rows.read(indices), [indices.length, ...rows.shape], 'float32'),
    dispose: () => rows.close(),
  };
}

function holdRows(rows: FeatureRows): StoredRows {
  const { rowCount, shape } = rows;
  const all = Uint32Array.from({ length: rowCount }, (_, index) => index);
  const values = tf.keep(tf.tensor(rows.read(all), [rowCount, ...shape], 'float32'));
  rows.close();
  return {
    gather: (indices) =>
      tf.tidy(() =>
        executeOp('GatherV2', GATHER, [values, tf.tensor1d(Int32Array.from(indices), 'int32'), tf.scalar(0, 'int32')]),
      ),
    dispose: () => values.dispose(),
  };
}

function findFeatureSet(options: SplitReaderOptions, spec: InputSpec): FeatureSetRef | undefined {
  const { backbone, split, indexed, featureSets } = options;
  const last = backbone.layers.at(-1)?.name ?? null;
  return featureSets.find(
    (set) =>
      spec.layer !== null &&
      set.datasetDigest === indexed.dataset.digest &&
      set.split === split &&
      set.backbone === backbone.name &&
      set.weightsDigest === backbone.weightsDigest &&
      set.imageSize === backbone.inputSize &&
      (set.cut ?? last) === spec.layer &&
      set.pooling === spec.pooling,
  );
}

function distinct(inputs: readonly InputSpec[]): readonly InputSpec[] {
  return [...new Map(inputs.map((spec) => [inputKey(spec), spec])).values()];
}

function inputKey({ layer, pooling }: { readonly layer: string | null; readonly pooling: Pooling }): string {
  return JSON.stringify([layer, pooling]);
}
