import type { ClassMetric } from '../../core/objective.ts';
import { MAX_REPORTED_IMAGES, MAX_REPORTED_LOSSES } from '../../core/task.ts';
import { balancedAccuracy, macroF1 } from '../../core/statistics/class-averages.ts';
import { macroRocAuc } from '../../core/statistics/roc-auc.ts';
import { unmixed } from '../heads/batch-labels.ts';
import { fillScores } from '../heads/loss.ts';
import type { Loss, LossSums } from '../heads/loss.ts';
import type { ImageResults } from '../checkpoints/image-results.ts';
import { addSums, NO_SUMS } from './loss-sums.ts';

/** Values of the class metrics of a pass; those that were not requested are absent. */
export type ClassMetricValues = Readonly<Partial<Record<ClassMetric, number>>>;

/** Results of a pass over the validation split. */
export interface Validation {
  readonly sums: LossSums;
  readonly classMetrics: ClassMetricValues;
  /** Results by image, in the order of the split; null for a split that is too large to report them. */
  readonly images: ImageResults | null;
}

/** One pass of a run over the validation split. Its results do not depend on the division into batches, except for the loss. */
export class ValidationPass {
  readonly #loss: Loss;
  readonly #metrics: readonly ClassMetric[];
  readonly #images: Float64Array;
  readonly #predicted: Float64Array;
  readonly #correct: Float64Array;
  readonly #labels: Int32Array;
  /** Probabilities, row-major [images, outputs]; empty without `val_auc`. */
  readonly #scores: Float64Array;
  /** A bit for each image; empty if they are too many. */
  readonly #rightImages: Uint8Array;
  /** Losses of the images; empty if they are too many. */
  readonly #losses: Float32Array;
  #sums: LossSums = NO_SUMS;

  /** @param imageCount images of the split. */
  constructor(loss: Loss, metrics: readonly ClassMetric[], imageCount: number) {
    this.#loss = loss;
    this.#metrics = metrics;
    this.#images = new Float64Array(loss.classCount);
    this.#predicted = new Float64Array(loss.classCount);
    this.#correct = new Float64Array(loss.classCount);
    const scoredCount = metrics.includes('val_auc') ? imageCount : 0;
    this.#labels = new Int32Array(scoredCount);
    this.#scores = new Float64Array(scoredCount * loss.outputCount);
    this.#rightImages = new Uint8Array(imageCount > MAX_REPORTED_IMAGES ? 0 : Math.ceil(imageCount / 8));
    this.#losses = new Float32Array(imageCount > MAX_REPORTED_LOSSES ? 0 : imageCount);
  }

  /** @param logits of the next images of the split, [labels, outputs]. */
  add(logits: Float32Array, labels: readonly number[]): void {
    if (this.#scores.length > 0) this.#addScores(logits, labels);
    let image = this.#sums.imageCount;
    const measured = this.#loss.measure(logits, unmixed(labels), false, (label, predicted, loss) => {
      this.#images[label] = (this.#images[label] ?? 0) + 1;
      this.#predicted[predicted] = (this.#predicted[predicted] ?? 0) + 1;
      if (label === predicted) {
        this.#correct[label] = (this.#correct[label] ?? 0) + 1;
        this.#rightImages[image >> 3] = (this.#rightImages[image >> 3] ?? 0) | (1 << (image & 7));
      }
      // A typed array ignores what is written behind its end.
      this.#losses[image] = loss;
      image += 1;
    });
    this.#sums = addSums(this.#sums, measured);
  }

  /** Returns the results of all images. A class metric that is undefined for them is NaN. */
  finish(): Validation {
    const classMetrics = Object.fromEntries(this.#metrics.map((metric) => [metric, this.#valueOf(metric)]));
    const losses = this.#losses.length === 0 ? null : this.#losses;
    const images = this.#rightImages.length === 0 ? null : { correct: this.#rightImages, losses };
    return { sums: this.#sums, classMetrics, images };
  }

  #valueOf(metric: ClassMetric): number {
    const counts = { images: this.#images, predicted: this.#predicted, correct: this.#correct };
    switch (metric) {
      case 'val_macro_f1':
        return macroF1(counts);
      case 'val_balanced_accuracy':
        return balancedAccuracy(counts);
      case 'val_auc': {
        const scored = { labels: this.#labels, scores: this.#scores, columnCount: this.#loss.outputCount };
        return macroRocAuc(scored) ?? Number.NaN;
      }
    }
  }

  #addScores(logits: Float32Array, labels: readonly number[]): void {
    const { outputCount } = this.#loss;
    const first = this.#sums.imageCount;
    this.#labels.set(labels, first);
    fillScores(logits, outputCount, this.#scores.subarray(first * outputCount));
  }
}
