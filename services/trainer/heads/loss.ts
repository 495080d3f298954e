import type { ManifestImage } from '../../core/dataset.ts';
import type { ClassWeights, LossConfig } from '../../core/run-config.ts';
import { tf } from '../engine/engine.ts';
import type { BatchLabels } from './batch-labels.ts';
import { logSumExp, sigmoidEntropy } from './entropy.ts';
import { focalLoss } from './focal.ts';
import type { Focal } from './focal.ts';
import type { HeadTargets } from './head.ts';
import { outputCountOf } from '../../core/network/head-variables.ts';

/** Sums over images, which can be added across parts of a batch. */
export interface LossSums {
  readonly imageCount: number;
  readonly lossSum: number;
  readonly correctCount: number;
}

/**
 * Keras' binary (two classes) or categorical cross-entropy or focal loss, with label smoothing and class weights.
 *
 * A Keras model that ends in a sigmoid or softmax computes its loss from the logits (keras/src/backend/tensorflow/nn.py
 * `_get_logits`), so nothing is clipped at 1e-7 there, nor here. Losses are summed in double precision.
 */
export class Loss {
  readonly classCount: number;
  readonly outputCount: number;
  readonly #smoothing: number;
  /** Null: the loss is cross-entropy. */
  readonly focal: Focal | null;
  /** Class weights by label; null means that all are 1. */
  readonly #classWeights: readonly number[] | null;

  constructor(
    classCount: number,
    labelSmoothing: number,
    classWeights: readonly number[] | null,
    config: LossConfig = { name: 'cross_entropy' },
  ) {
    this.classCount = classCount;
    this.outputCount = outputCountOf(classCount);
    this.#smoothing = labelSmoothing;
    this.#classWeights = classWeights;
    this.focal =
      config.name === 'focal' ? { gamma: config.gamma, alpha: config.alpha ?? defaultAlpha(classCount) } : null;
  }

  /** Returns the target tensors of one batch; the caller owns them. */
  targets(batch: BatchLabels): HeadTargets {
    const { labels } = batch;
    const rows = labels.length;
    const values = this.fillTargets(batch, new Float32Array(rows * this.outputCount));
    return {
      values: tf.tensor2d(values, [rows, this.outputCount]),
      sampleWeights:
        this.#classWeights === null
          ? null
          : tf.tensor2d(this.fillSampleWeights(labels, new Float32Array(rows)), [rows, 1]),
      focal: this.focal,
    };
  }

  /** @param out receives [labels, outputs]: 0, 1, smoothed or mixed. */
  fillTargets(batch: BatchLabels, out: Float32Array): Float32Array {
    let at = 0;
    for (let row = 0; row < batch.labels.length; row++) {
      for (let output = 0; output < this.outputCount; output++) out[at++] = this.#target(batch, row, output);
    }
    return out;
  }

  /** @param out receives each label's class weight. */
  fillSampleWeights(labels: readonly number[], out: Float32Array): Float32Array {
    const weights = this.#classWeights;
    if (weights === null) return out.fill(1);
    for (const [row, label] of labels.entries()) out[row] = weights[label] ?? 1;
    return out;
  }

  /**
   * Computes loss and accuracy sums. As in Keras, a prediction is correct by probability above 0.5 for class 1, or by
   * the largest probability. For a mixed image, the label with the larger share is right, as in Keras' `CategoricalAccuracy`, and
   * decides the class weight. (Keras' `BinaryAccuracy` would call every prediction for a mixed image wrong.)
   *
   * @param logits row-major [images, outputs]
   * @param weighted applies class weights (training); Keras ignores them in validation.
   * @param onPrediction receives the true and the predicted class of each image, and its loss without a weight.
   */
  measure(
    logits: Float32Array,
    batch: BatchLabels,
    weighted: boolean,
    onPrediction: ((label: number, predicted: number, loss: number) => void) | null = null,
  ): LossSums {
    let lossSum = 0;
    let correctCount = 0;
    for (const [row, label] of batch.labels.entries()) {
      const values = logits.subarray(row * this.outputCount, (row + 1) * this.outputCount);
      const weight = weighted ? (this.#classWeights?.[label] ?? 1) : 1;
      const loss = this.#lossOf(values, batch, row);
      lossSum += weight * loss;
      const predicted = predictedLabel(values);
      if (predicted === label) correctCount += 1;
      onPrediction?.(label, predicted, loss);
    }
    return { imageCount: batch.labels.length, lossSum, correctCount };
  }

  #lossOf(logits: Float32Array, batch: BatchLabels, row: number): number {
    if (this.focal === null) return this.#crossEntropy(logits, batch, row);
    return focalLoss(logits, (output) => this.#target(batch, row, output), this.focal);
  }

  #crossEntropy(logits: Float32Array, batch: BatchLabels, row: number): number {
    if (this.outputCount === 1) return sigmoidEntropy(logits[0] ?? 0, this.#target(batch, row, 0));
    const logSum = logSumExp(logits);
    return logits.reduce((loss, z, output) => loss + this.#target(batch, row, output) * (logSum - z), 0);
  }

  #target({ labels, mix }: BatchLabels, row: number, output: number): number {
    const own = this.#partOf(labels[row] ?? 0, output);
    const share = mix?.shares[row] ?? 1;
    const part = share === 1 ? own : share * own + (1 - share) * this.#partOf(mix?.others[row] ?? 0, output);
    return part * (1 - this.#smoothing) + this.#smoothing / this.classCount;
  }

  #partOf(label: number, output: number): number {
    return this.outputCount === 1 ? label : Number(label === output);
  }
}

/** Keras: `BinaryFocalCrossentropy(apply_class_balancing=False)` and `CategoricalFocalCrossentropy(alpha=0.25)`. */
function defaultAlpha(classCount: number): number | null {
  return classCount === 2 ? null : 0.25;
}

/** Returns the probability of every class, from one image's logits. */
export function probabilitiesOf(logits: Float32Array): readonly number[] {
  const scores = new Float64Array(logits.length);
  fillScores(logits, logits.length, scores);
  const [only = 0] = scores;
  return logits.length === 1 ? [1 - only, only] : Array.from(scores);
}

/**
 * Fills `out` with the probabilities of the outputs: that of class 1 of two, or of every class.
 *
 * @param logits and `out`: row-major [images, outputs]
 */
export function fillScores(logits: Float32Array, outputCount: number, out: Float64Array): void {
  if (outputCount === 1) {
    for (let row = 0; row < logits.length; row++) out[row] = sigmoid(logits[row] ?? 0);
    return;
  }
  for (let first = 0; first < logits.length; first += outputCount) {
    let largest = logits[first] ?? 0;
    for (let at = first; at < first + outputCount; at++) largest = Math.max(largest, logits[at] ?? 0);
    let sum = 0;
    for (let at = first; at < first + outputCount; at++) sum += out[at] = Math.exp((logits[at] ?? 0) - largest);
    for (let at = first; at < first + outputCount; at++) out[at] = (out[at] ?? 0) / sum;
  }
}

/** Returns the predicted class of one image. */
export function predictedLabel(logits: Float32Array): number {
  // Computed in float32, where a logit slightly above 0 still yields exactly 0.5.
  if (logits.length === 1) return Math.fround(sigmoid(logits[0] ?? 0)) > 0.5 ? 1 : 0;
  return logits.reduce((best, z, output) => (z > (logits[best] ?? 0) ? output : best), 0);
}

/**
 * Returns the class weights by label. `balanced` is images / (classes × images of the class), as in scikit-learn's
 * `compute_class_weight`. Of weights by name, a class without one weighs 1, as in Keras. `none` returns null.
 */
export function classWeightsOf(
  weights: ClassWeights,
  trainImages: readonly Pick<ManifestImage, 'label'>[],
  classNames: readonly string[],
): readonly number[] | null {
  if (weights === 'none') return null;
  if (weights !== 'balanced') {
    return classNames.map((name) => (Object.hasOwn(weights, name) ? (weights[name] ?? 1) : 1));
  }
  const counts = new Array<number>(classNames.length).fill(0);
  for (const { label } of trainImages) counts[label] = (counts[label] ?? 0) + 1;
  return counts.map((count) => (count === 0 ? 0 : trainImages.length / (classNames.length * count)));
}

function sigmoid(z: number): number {
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}
