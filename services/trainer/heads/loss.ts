import type { ManifestImage } from '../../core/dataset.ts';
import type { RunConfig } from '../../core/run-config.ts';
import { tf } from '../engine/engine.ts';
import type { HeadTargets } from './head.ts';
import { outputCountOf } from '../../core/network/head-variables.ts';

/** Sums over images, which can be added across parts of a batch. */
export interface LossSums {
  readonly imageCount: number;
  readonly lossSum: number;
  readonly correctCount: number;
}

/**
 * Keras' binary cross-entropy (two classes) or categorical cross-entropy, with label smoothing and class weights.
 *
 * A Keras model that ends in a sigmoid or softmax computes its loss from the logits (keras/src/backend/tensorflow/nn.py
 * `_get_logits`), so nothing is clipped at 1e-7 there, nor here. Losses are summed in double precision.
 */
export class Loss {
  readonly classCount: number;
  readonly outputCount: number;
  readonly #smoothing: number;
  /** Class weights by label; null means that all are 1. */
  readonly #classWeights: readonly number[] | null;

  constructor(classCount: number, labelSmoothing: number, classWeights: readonly number[] | null) {
    this.classCount = classCount;
    this.outputCount = outputCountOf(classCount);
    this.#smoothing = labelSmoothing;
    this.#classWeights = classWeights;
  }

  /** Returns the target tensors of one batch; the caller owns them. */
  targets(labels: readonly number[]): HeadTargets {
    const rows = labels.length;
    const values = this.fillTargets(labels, new Float32Array(rows * this.outputCount));
    return {
      values: tf.tensor2d(values, [rows, this.outputCount]),
      sampleWeights:
        this.#classWeights === null
          ? null
          : tf.tensor2d(this.fillSampleWeights(labels, new Float32Array(rows)), [rows, 1]),
    };
  }

  /** @param out receives [labels, outputs]: 0, 1 or smoothed. */
  fillTargets(labels: readonly number[], out: Float32Array): Float32Array {
    let at = 0;
    for (const label of labels) {
      for (let output = 0; output < this.outputCount; output++) out[at++] = this.#target(label, output);
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
   * the largest probability.
   *
   * @param logits row-major [images, outputs]
   * @param weighted applies class weights (training); Keras ignores them in validation.
   * @param onPrediction receives the true and the predicted class of each image.
   */
  measure(
    logits: Float32Array,
    labels: readonly number[],
    weighted: boolean,
    onPrediction: ((label: number, predicted: number) => void) | null = null,
  ): LossSums {
    let lossSum = 0;
    let correctCount = 0;
    for (const [row, label] of labels.entries()) {
      const values = logits.subarray(row * this.outputCount, (row + 1) * this.outputCount);
      const weight = weighted ? (this.#classWeights?.[label] ?? 1) : 1;
      lossSum += weight * this.#crossEntropy(values, label);
      const predicted = predictedLabel(values);
      if (predicted === label) correctCount += 1;
      onPrediction?.(label, predicted);
    }
    return { imageCount: labels.length, lossSum, correctCount };
  }

  #crossEntropy(logits: Float32Array, label: number): number {
    const first = logits[0] ?? 0;
    if (this.outputCount === 1) {
      // As tf.nn.sigmoid_cross_entropy_with_logits.
      return Math.max(first, 0) - first * this.#target(label, 0) + Math.log1p(Math.exp(-Math.abs(first)));
    }
    const largest = logits.reduce((a, b) => Math.max(a, b));
    const logSum = largest + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - largest), 0));
    return logits.reduce((loss, z, output) => loss + this.#target(label, output) * (logSum - z), 0);
  }

  #target(label: number, output: number): number {
    const sharp = this.outputCount === 1 ? label : Number(label === output);
    return sharp * (1 - this.#smoothing) + this.#smoothing / this.classCount;
  }
}

/** Returns the probability of every class, from one image's logits. */
export function probabilitiesOf(logits: Float32Array): readonly number[] {
  if (logits.length === 1) {
    const probability = sigmoid(logits[0] ?? 0);
    return [1 - probability, probability];
  }
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(logits, (z) => Math.exp(z - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** Returns the predicted class of one image. */
export function predictedLabel(logits: Float32Array): number {
  // Computed in float32, where a logit slightly above 0 still yields exactly 0.5.
  if (logits.length === 1) return Math.fround(sigmoid(logits[0] ?? 0)) > 0.5 ? 1 : 0;
  return logits.reduce((best, z, output) => (z > (logits[best] ?? 0) ? output : best), 0);
}

/**
 * Returns the class weights. `balanced` is images / (classes × images of the class), as in scikit-learn's
 * `compute_class_weight`; `none` returns null.
 */
export function classWeightsOf(
  mode: RunConfig['classWeights'],
  trainImages: readonly Pick<ManifestImage, 'label'>[],
  classCount: number,
): readonly number[] | null {
  if (mode === 'none') return null;
  const counts = new Array<number>(classCount).fill(0);
  for (const { label } of trainImages) counts[label] = (counts[label] ?? 0) + 1;
  return counts.map((count) => (count === 0 ? 0 : trainImages.length / (classCount * count)));
}

function sigmoid(z: number): number {
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}
