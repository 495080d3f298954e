import { recordsAuc } from '../../class-metrics.ts';
import type { Split } from '../../dataset.ts';
import type { Objective } from '../../objective.ts';
import type { OptimizerConfig, RunConfig } from '../../run-config.ts';
import type { ProbeOrder, ProbeTarget, Stage } from '../../task.ts';
import type { KeyedFeatureSet } from '../feature-set.ts';
import { headGroupBytes } from '../../network/head-memory.ts';
import type { GroupedHead } from '../../network/head-memory.ts';
import { extraSlotsOf, headInputCount, headWeightCount, outputCountOf } from '../../network/head-variables.ts';
import { costOfLayers, outputShapeAt } from '../../network/base-cost.ts';
import type { BaseCost } from '../../network/base-cost.ts';
import type { Corrections } from './corrections.ts';
import type { DeviceSpeed } from './device-speed.ts';
import { augmentPasses } from './augment-cost.ts';
import { headForwardSeconds, headStepSeconds } from './head-cost.ts';

/** Images of each split. */
export type ImageCounts = Readonly<Record<Split, number>>;

/** Inputs of a forecast besides the work itself. */
export interface CostContext {
  readonly imageCounts: ImageCounts;
  readonly classCount: number;
  readonly objective: Objective;
  readonly speed: DeviceSpeed;
  readonly corrections: Corrections;
}

export interface TaskForecast {
  /** Key of measurements: stage, method, backbone, image size. */
  readonly costClass: string;
  /** Slot-seconds from lease to end over all epochs, by the model alone. */
  readonly modelSeconds: number;
  /** The same with the cluster's measured corrections. */
  readonly seconds: number;
  /** Maximum memory of the worker process in bytes. */
  readonly memoryBytes: number;
  /** Bytes of the feature sets that it stores. */
  readonly featureBytes: number;
}

const FLOAT_BYTES = 4;
/** Scores are in double precision, because equal ones count as half a pair. */
const SCORE_BYTES = 8;
const LABEL_BYTES = 4;
/** Node, TensorFlow and what they retain from earlier tasks (695 to 830 MB after some small ones). */
const PROCESS_BYTES = 700e6;
/** A weight file is parsed into one copy and folded into another. */
const WEIGHT_COPIES = 2;
/**
 * Memory of a task that passes images through a base: the process, copies of the images (decoded, as floating point, preprocessed,
 * padded), and the live values with the kernels' reordered copies and freed blocks that the allocator has not reused, as a factor. A
 * pass reuses what earlier tasks left, so the process counts without that. Within 8 % of the peaks of new processes: 12 bases at 64 to
 * 224 pixels, from 0.55 GB (MobileNet, 64) to 1.77 GB (VGG16, 224).
 */
const PASS_PROCESS_BYTES = 540e6;
const IMAGE_COPIES = 4;
const LIVE_VALUE_FACTOR = 1.4;
/** Stored outputs are read into one buffer and copied into a tensor. */
const FEATURE_COPIES = 2;
const STREAM_BATCH_SIZE = 32;
/** Number of images in a head's validation step (`trainer/training/train-stage.ts`). */
const VALIDATION_BATCH_SIZE = 256;
const LOAD_BYTES_PER_SECOND = 300e6;
/** Rate at which decoded images or stored features are read from the cache. */
const READ_BYTES_PER_SECOND = 1e9;
/** The backward pass through layers: gradients of the outputs and of the weights. */
const TRAINING_PASSES = 3;
/** Passes over the values of trained layers, which run one op after the other and keep their outputs. */
const TRAINING_VALUE_PASSES = 5;
/** Weight, gradient, two slots, a copy of the best epoch. */
const TRAINED_WEIGHT_COPIES = 5;

/** Forecasts storing the outputs of one base for some splits. */
export function forecastFeatures(context: CostContext, sets: readonly KeyedFeatureSet[]): TaskForecast {
  const [first] = sets;
  if (first === undefined) return emptyForecast('FEATURES stored');
  const cost = costOfLayers(first.backbone, first.imageSize, { from: null, to: first.cut });
  const imageCount = sets.reduce((sum, { split }) => sum + context.imageCounts[split], 0);
  const featureBytes = imageCount * featureBytesPerImage(first);
  const { speed } = context;
  const seconds =
    loadSeconds(cost) +
    imageCount * (speed.decodeSeconds + forwardSeconds(speed, cost)) +
    featureBytes / READ_BYTES_PER_SECOND;
  const memoryBytes = streamBytes(cost, first.imageSize, STREAM_BATCH_SIZE);
  return finish(context, ['FEATURES', 'stored', first.backbone, first.imageSize], seconds, memoryBytes, featureBytes);
}

/** Copies of the features of the probed images: as they are, standardised, and as the rows of a matrix. */
const PROBE_COPIES = 6;
/** Forward passes of single images to measure the latency. */
const LATENCY_PASSES = 15;
/** Seconds of an eigendecomposition of 1,000 images; it grows with their cube, and the probe makes two. */
const DECOMPOSITION_SECONDS = 8;

/** Forecasts the probe of a base: some images pass it once, and a ridge regression on their features takes time by the cube of their number. */
export function forecastProbe(
  context: CostContext,
  { backbone, imageSize, cut }: Pick<ProbeTarget, 'backbone' | 'imageSize' | 'cut'>,
  { trainImageCount, validationImageCount }: Pick<ProbeOrder, 'trainImageCount' | 'validationImageCount'>,
): TaskForecast {
  const { speed } = context;
  const cost = costOfLayers(backbone, imageSize, { from: null, to: cut });
  const { channels } = outputShapeAt(backbone, imageSize, cut);
  const imageCount = trainImageCount + validationImageCount;
  const smaller = Math.min(imageCount, channels);
  const seconds =
    loadSeconds(cost) +
    imageCount * (speed.decodeSeconds + forwardSeconds(speed, cost)) +
    LATENCY_PASSES * forwardSeconds(speed, cost) +
    2 * DECOMPOSITION_SECONDS * (smaller / 1_000) ** 3;
  const memoryBytes =
    streamBytes(cost, imageSize, STREAM_BATCH_SIZE) +
    SCORE_BYTES * (PROBE_COPIES * imageCount * channels + PROBE_COPIES * smaller ** 2);
  return finish(context, ['PROBE', 'images', backbone, imageSize], seconds, memoryBytes, 0);
}

function featureBytesPerImage(set: KeyedFeatureSet): number {
  const { size, channels } = outputShapeAt(set.backbone, set.imageSize, set.cut);
  const valueBytes = set.dtype === 'float16' ? FLOAT_BYTES / 2 : FLOAT_BYTES;
  return valueBytes * channels * (set.pooling === 'none' ? size * size : 1);
}

/** Returns the bytes of one feature set. */
function featureSetBytes(context: CostContext, set: KeyedFeatureSet): number {
  return context.imageCounts[set.split] * featureBytesPerImage(set);
}

/**
 * Forecasts training the heads of some runs as one group. The runs must read the same batches; early stopping is not
 * included.
 */
export function forecastHeads(
  context: CostContext,
  configs: readonly RunConfig[],
  featureSets: readonly KeyedFeatureSet[],
): TaskForecast {
  const [first] = configs;
  if (first === undefined) return emptyForecast('HEAD cached');
  const { speed, imageCounts } = context;
  const { name } = first.backbone;
  const base = costOfLayers(name, first.imageSize, { from: null, to: first.backbone.cut });
  const epochs = Math.max(...configs.map((config) => config.epochs));
  const stepCount = Math.ceil(imageCounts.train / first.batchSize);
  const readBytes = sum(featureSets.map((set) => featureSetBytes(context, set)));
  let seconds = loadSeconds(base) + readBytes / READ_BYTES_PER_SECOND + epochs * stepCount * speed.stepSeconds;
  let memoryBytes = FEATURE_COPIES * readBytes;
  if (first.method === 'cached') memoryBytes += processBytes(base);
  else {
    seconds += epochs * imageCounts.train * (augmentSeconds(speed, first) + forwardSeconds(speed, base));
    seconds += imageCounts.train * speed.decodeSeconds;
    memoryBytes += streamBytes(base, first.imageSize, first.batchSize);
  }
  for (const config of configs) {
    const weightCount = headWeights(context, config);
    const step = headStepSeconds(speed, weightCount, config.batchSize);
    seconds += config.epochs * (stepCount * step + headForwardSeconds(speed, weightCount, imageCounts.validation));
  }
  const heads = configs.map((config) => groupedHead(context, config, config.optimizer));
  memoryBytes += headGroupBytes(heads, Math.max(first.batchSize, VALIDATION_BATCH_SIZE));
  memoryBytes += scoreBytes(context, configs.length);
  return finish(context, ['HEAD', first.method, name, first.imageSize], seconds, memoryBytes, 0);
}

/**
 * Forecasts fine-tuning some runs as one group. The frozen part comes from stored features, or runs once per augmented
 * batch for all of them; the part above it runs forward and backward for each.
 *
 * @param cut end of the frozen part; null: all layers train.
 * @param epochCounts epochs of each run; all of them by default.
 */
export function forecastFineTunes(
  context: CostContext,
  configs: readonly RunConfig[],
  cut: string | null,
  featureSets: readonly KeyedFeatureSet[],
  epochCounts: readonly number[] = configs.map(({ fineTune }) => fineTune?.epochs ?? 0),
): TaskForecast {
  const [first] = configs;
  if (first === undefined) return emptyForecast('FINE_TUNE cached');
  const { speed, imageCounts } = context;
  const { name } = first.backbone;
  const prefix = prefixCost(first, cut);
  const readBytes = sum(featureSets.map((set) => featureSetBytes(context, set)));
  const epochs = Math.max(...epochCounts);
  const whole = costOfLayers(name, first.imageSize, { from: null, to: first.backbone.cut });
  let seconds = loadSeconds(whole) + readBytes / READ_BYTES_PER_SECOND;
  let memoryBytes = processBytes(whole) + FEATURE_COPIES * readBytes + scoreBytes(context, configs.length);
  const isStreamed = first.method === 'augmented';
  if (isStreamed) {
    seconds += epochs * imageCounts.train * (augmentSeconds(speed, first) + forwardSeconds(speed, prefix));
    memoryBytes += passBytes(prefix, first.imageSize, first.batchSize);
  }
  if (isStreamed || cut === null) seconds += imageCounts.train * speed.decodeSeconds;
  let largestTopBytes = 0;
  for (const [index, config] of configs.entries()) {
    const top = costOfLayers(name, config.imageSize, { from: cut, to: config.backbone.cut });
    const weightCount = headWeights(context, config);
    const stepCount = Math.ceil(imageCounts.train / config.batchSize);
    const training =
      imageCounts.train * topTrainSeconds(speed, top) +
      stepCount * headStepSeconds(speed, weightCount, config.batchSize);
    const validation =
      imageCounts.validation * forwardSeconds(speed, top) +
      headForwardSeconds(speed, weightCount, imageCounts.validation);
    seconds += (epochCounts[index] ?? 0) * (training + validation + stepCount * speed.stepSeconds);
    const optimizer = config.fineTune?.optimizer ?? config.optimizer;
    memoryBytes += headGroupBytes([groupedHead(context, config, optimizer)], config.batchSize);
    memoryBytes += (TRAINED_WEIGHT_COPIES + extraSlotsOf(optimizer).length) * FLOAT_BYTES * top.weightCount;
    largestTopBytes = Math.max(largestTopBytes, 2 * FLOAT_BYTES * config.batchSize * top.valueCount);
  }
  // The members execute their steps one after the other: only one member's outputs exist at a time.
  return finish(context, ['FINE_TUNE', first.method, name, first.imageSize], seconds, memoryBytes + largestTopBytes, 0);
}

/** Forecasts INDEX, which reads every image and the weights once. */
export function forecastIndex(context: CostContext): TaskForecast {
  const { train, validation, test } = context.imageCounts;
  const seconds = (train + validation + test) * context.speed.decodeSeconds;
  return finish(context, ['INDEX', 'images'], seconds, PROCESS_BYTES, 0);
}

/** Forecasts passing the test images through one base, for some runs on it. */
export function forecastEvaluation(context: CostContext, configs: readonly RunConfig[]): TaskForecast {
  const [first] = configs;
  if (first === undefined) return emptyForecast('EVALUATE images');
  const { speed, imageCounts } = context;
  const { name, cut } = first.backbone;
  const base = costOfLayers(name, first.imageSize, { from: null, to: cut });
  // A fine-tuned run has its own upper layers. Since the winners are unknown, all pass the whole base once.
  const perImage = speed.decodeSeconds + forwardSeconds(speed, base);
  const seconds = loadSeconds(base) + imageCounts.test * perImage;
  const memoryBytes = streamBytes(base, first.imageSize, STREAM_BATCH_SIZE);
  return finish(context, ['EVALUATE', 'images', name, first.imageSize], seconds, memoryBytes, 0);
}

/**
 * Returns the slot-seconds of a run on its own, as in a program that trains one variant end to end: training and
 * validation images pass the frozen base in every epoch.
 *
 * @param cut end of the frozen part in fine-tuning.
 */
export function aloneSeconds(context: CostContext, config: RunConfig, cut: string | null): number {
  const { speed, imageCounts } = context;
  const { name } = config.backbone;
  const base = costOfLayers(name, config.imageSize, { from: null, to: config.backbone.cut });
  const imageCount = imageCounts.train + imageCounts.validation;
  const perEpoch = imageCount * forwardSeconds(speed, base) + augmentedSeconds(context, config);
  // The same heads without sharing: there would be no stored features.
  const head =
    config.epochs === 0 ? 0 : correctedWork(context, forecastHeads(context, [{ ...config, method: 'cached' }], []));
  const headBase = config.epochs * perEpoch * context.corrections.factor(`FEATURES stored ${name} ${config.imageSize}`);
  const fineTune = config.fineTune === null ? 0 : fineTuneAlone(context, config, cut);
  return speed.taskSeconds + imageCount * speed.decodeSeconds + head + headBase + fineTune;
}

function fineTuneAlone(context: CostContext, config: RunConfig, cut: string | null): number {
  const { speed, imageCounts } = context;
  const { name } = config.backbone;
  const prefix = prefixCost(config, cut);
  const prefixSeconds = (imageCounts.train + imageCounts.validation) * forwardSeconds(speed, prefix);
  const perEpoch = prefixSeconds + augmentedSeconds(context, config);
  const top = correctedWork(context, forecastFineTunes(context, [{ ...config, method: 'cached' }], cut, []));
  const factor = context.corrections.factor(`FEATURES stored ${name} ${config.imageSize}`);
  return top + (config.fineTune?.epochs ?? 0) * perEpoch * factor;
}

/** Returns the seconds of augmenting one epoch's training images. */
function augmentedSeconds({ speed, imageCounts }: CostContext, config: RunConfig): number {
  return config.method === 'augmented' ? imageCounts.train * augmentSeconds(speed, config) : 0;
}

function correctedWork({ speed }: CostContext, forecast: TaskForecast): number {
  return forecast.seconds - speed.taskSeconds;
}

function headWeights(context: CostContext, config: RunConfig): number {
  const { head, featureCount, classCount } = groupedHead(context, config, config.optimizer);
  return headWeightCount(head, featureCount, classCount);
}

/**
 * Returns the bytes that the members of a group keep for `val_auc` while they pass the validation split together, and the copy of one
 * class' scores that is sorted afterwards.
 */
function scoreBytes({ objective, imageCounts, classCount }: CostContext, memberCount: number): number {
  if (!recordsAuc(objective, imageCounts.validation, classCount)) return 0;
  const perMember = outputCountOf(classCount) * SCORE_BYTES + LABEL_BYTES;
  return imageCounts.validation * (memberCount * perMember + SCORE_BYTES);
}

function groupedHead(
  context: CostContext,
  { backbone, imageSize, head }: RunConfig,
  optimizer: OptimizerConfig,
): GroupedHead {
  const shape = outputShapeAt(backbone.name, imageSize, backbone.cut);
  return { head, optimizer, featureCount: headInputCount(head, shape), classCount: context.classCount };
}

const NO_COST: BaseCost = { gflop: 0, valueCount: 0, liveValueCount: 0, weightCount: 0, weightBytes: 0 };

/** Returns the cost of the frozen part in fine-tuning, which ends at `cut`; null: there is none. */
function prefixCost({ backbone, imageSize }: RunConfig, cut: string | null): BaseCost {
  return cut === null ? NO_COST : costOfLayers(backbone.name, imageSize, { from: null, to: cut });
}

function forwardSeconds(speed: DeviceSpeed, { gflop, valueCount }: BaseCost): number {
  return gflop / speed.gflopPerSecond + valueCount / speed.valuesPerSecond;
}

function topTrainSeconds(speed: DeviceSpeed, { gflop, valueCount }: BaseCost): number {
  return (
    (TRAINING_PASSES * gflop) / speed.gflopPerSecond + (TRAINING_VALUE_PASSES * valueCount) / speed.valuesPerSecond
  );
}

function augmentSeconds(speed: DeviceSpeed, { augmentation, imageSize }: RunConfig): number {
  return 3 * imageSize * imageSize * speed.augmentSecondsPerValue * augmentPasses(augmentation);
}

function loadSeconds({ weightCount }: BaseCost): number {
  return (weightCount * FLOAT_BYTES) / LOAD_BYTES_PER_SECOND;
}

function processBytes(base: BaseCost): number {
  return PROCESS_BYTES + weightBytes(base);
}

function weightBytes({ weightCount }: BaseCost): number {
  return WEIGHT_COPIES * FLOAT_BYTES * weightCount;
}

/** Returns the peak of a process that passes batches of images through a base. */
function streamBytes(base: BaseCost, imageSize: number, batchSize: number): number {
  return PASS_PROCESS_BYTES + weightBytes(base) + passBytes(base, imageSize, batchSize);
}

function passBytes({ liveValueCount }: BaseCost, imageSize: number, batchSize: number): number {
  const imageValues = 3 * imageSize * imageSize;
  return FLOAT_BYTES * batchSize * (LIVE_VALUE_FACTOR * liveValueCount + IMAGE_COPIES * imageValues);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function finish(
  { speed, corrections }: CostContext,
  costClass: readonly [Stage, ...(string | number)[]],
  workSeconds: number,
  memoryBytes: number,
  featureBytes: number,
): TaskForecast {
  const name = costClass.join(' ');
  return {
    costClass: name,
    modelSeconds: speed.taskSeconds + workSeconds,
    seconds: speed.taskSeconds + workSeconds * corrections.factor(name),
    memoryBytes: Math.round(memoryBytes),
    featureBytes: Math.round(featureBytes),
  };
}

function emptyForecast(costClass: string): TaskForecast {
  return { costClass, modelSeconds: 0, seconds: 0, memoryBytes: 0, featureBytes: 0 };
}
