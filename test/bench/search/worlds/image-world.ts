import { createStream } from '../../../../services/core/rng/stream.ts';
import type { RandomStream } from '../../../../services/core/rng/stream.ts';
import type { Objective } from '../../../../services/core/objective.ts';
import { normalUpperTail } from '../../../../services/core/statistics/normal.ts';
import type { Evidence } from '../../../../services/core/statistics/evidence.ts';
import type { StageCurve, World } from '../world.ts';

export interface ImageWorldOptions {
  /** Accuracy of each run at its last epoch. */
  readonly accuracies: readonly number[];
  readonly epochs: number;
  readonly images: number;
  readonly metric: 'val_accuracy' | 'val_loss';
  readonly seed: number;
}

/**
 * The model of an image: a run classifies it correctly if its margin is above 0. The margin is normal: a part of the image, which all
 * runs share, a part of the run's own that lasts, and one that changes with each epoch. With these deviations two equal runs of
 * accuracy 0.94 differ on about 6 % of the images, as fine-tunes of one base do.
 */
const IMAGE_DEVIATION = 1;
const RUN_DEVIATION = 0.4;
const EPOCH_DEVIATION = 0.25;
const DEVIATION = Math.hypot(IMAGE_DEVIATION, RUN_DEVIATION, EPOCH_DEVIATION);
/** Mean margin that the first epoch lacks; half of what is lacking comes with each further epoch. */
const FIRST_EPOCH_LACKS = 1;
/** Losses are those of a sigmoid of this many margins. */
const LOSS_SCALE = 2;

/** Returns a world of fine-tunes whose validation outcomes are drawn image by image. */
export function imageWorld({ accuracies, epochs, images, metric, seed }: ImageWorldOptions): World {
  const shared = createStream(seed, 'images').fillNormal(new Float32Array(images), 0, IMAGE_DEVIATION);
  const objective: Objective = { metric, goal: metric === 'val_loss' ? 'minimize' : 'maximize' };
  const runs = accuracies.map((accuracy, index) => {
    const fineTune = drawRun(createStream(seed, 'run', index), shared, marginOf(accuracy), epochs, objective);
    return { index, headEpochs: 0, augmented: false, fineTuneEpochs: epochs, head: null, fineTune };
  });
  return {
    name: `${accuracies.length} runs, ${images} images, seed ${seed}`,
    objective,
    runs,
    shared: [],
    taskSeconds: 0,
  };
}

/** Returns whether a run is right on each of `images` new images, such as the test split's: for each of the runs alike. */
export function testOutcomes(
  { accuracies, images, seed }: Pick<ImageWorldOptions, 'accuracies' | 'images' | 'seed'>,
  runs: readonly number[],
): boolean[][] {
  const shared = createStream(seed, 'test images').fillNormal(new Float32Array(images), 0, IMAGE_DEVIATION);
  return runs.map((run) => {
    const stream = createStream(seed, 'test', run);
    const mean = marginOf(accuracies[run] ?? 0.5);
    return Array.from(
      shared,
      (image) => mean + image + Math.hypot(RUN_DEVIATION, EPOCH_DEVIATION) * stream.normal() > 0,
    );
  });
}

function drawRun(
  stream: RandomStream,
  shared: Float32Array,
  mean: number,
  epochs: number,
  { metric }: Objective,
): StageCurve {
  const own = stream.fillNormal(new Float32Array(shared.length), 0, RUN_DEVIATION);
  const evidence: Evidence[] = [];
  const values: number[] = [];
  const truths: number[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const level = mean - FIRST_EPOCH_LACKS * 0.5 ** (epoch - 1);
    const margins = shared.map((image, at) => level + image + (own[at] ?? 0) + EPOCH_DEVIATION * stream.normal());
    const result = measure(margins);
    evidence.push(result);
    values.push(metric === 'val_loss' ? meanLoss(result) : rightOf(margins) / margins.length);
    truths.push(1 - normalUpperTail(level / DEVIATION));
  }
  return {
    values,
    truths,
    seconds: values.map((_, at) => at + 1),
    evidenceAt: (epoch) => evidence[epoch - 1] ?? measure(new Float32Array()),
  };
}

function measure(margins: Float32Array): Evidence {
  const correct = new Uint8Array(Math.ceil(margins.length / 8));
  const losses = margins.map((margin, image) => {
    if (margin > 0) correct[image >> 3] = (correct[image >> 3] ?? 0) | (1 << (image & 7));
    return Math.log1p(Math.exp(-LOSS_SCALE * margin));
  });
  return { correct, count: margins.length, losses };
}

function rightOf(margins: Float32Array): number {
  return margins.reduce((sum, margin) => sum + (margin > 0 ? 1 : 0), 0);
}

function meanLoss({ losses, count }: Evidence): number {
  return (losses ?? new Float32Array()).reduce((sum, loss) => sum + loss, 0) / count;
}

/** Returns the mean margin of a run with this accuracy: its quantile, by bisection. */
function marginOf(accuracy: number): number {
  let [low, high] = [-10, 10];
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2;
    if (1 - normalUpperTail(middle / DEVIATION) < accuracy) low = middle;
    else high = middle;
  }
  return low;
}
