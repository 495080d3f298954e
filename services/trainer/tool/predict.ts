import { EventEmitter, once } from 'node:events';
import { compileRunConfig } from '../../core/search-space/compile.ts';
import type { RunConfig } from '../../core/run-config.ts';
import type { Backbone } from '../backbones/backbone.ts';
import { jobsOf, predictionDecoderCount, runDecoders } from '../data/decoder-pool.ts';
import type { PixelsJob, PixelsOrProblem } from '../data/pixels-job.ts';
import { tf } from '../engine/engine.ts';
import { predictedLabel, probabilitiesOf } from '../heads/loss.ts';
import type { Network } from '../training/network.ts';
import { pool } from '../training/pooling.ts';
import { openCheckpoint } from './open-checkpoint.ts';
import type { ImagePrediction, ToolEvent, ToolRequest } from './tool-protocol.ts';

const BATCH_SIZE = 32;
/** Maximum size of a batch's pixels; images of more than 512 pixels come in smaller batches. */
const BATCH_BYTES = 32 * 2 ** 20;
/** Batches that a decoder may be ahead of the network. Memory is bounded by this, for any number of images. */
const BATCHES_AHEAD = 2;

/**
 * Classifies image files with a checkpoint, as the EVALUATE stage classifies the test split: the base without augmentation,
 * the head without dropout. Other processes decode the next batches meanwhile. Predictions are emitted in the order of the images.
 *
 * @throws the errors of `openCheckpoint`.
 */
export async function predict(
  request: Extract<ToolRequest, { type: 'predict' }>,
  emit: (event: ToolEvent) => void,
): Promise<void> {
  const { classNames, images } = request;
  const decoded = new DecodedBatches(images, compileRunConfig(request.parameters).imageSize);
  try {
    const { config, backbone, network } = await openCheckpoint({ ...request, classCount: classNames.length });
    const model = { config, backbone, network, classNames };
    let done = 0;
    for await (const { paths, pixels } of decoded.inOrder()) {
      for (const prediction of predictBatch(paths, pixels, model)) emit({ type: 'prediction', ...prediction });
      done += paths.length;
      emit({ type: 'progress', done, total: images.length, detail: 'images' });
    }
    network.dispose();
    backbone.dispose();
  } finally {
    decoded.stop();
  }
}

interface DecodedBatch {
  readonly paths: readonly string[];
  readonly pixels: readonly PixelsOrProblem[];
}

interface BatchJob extends PixelsJob {
  readonly index: number;
}

/** Decodes images in batches, from the moment of its creation, and hands the batches out in order. */
class DecodedBatches {
  readonly #jobs: readonly BatchJob[];
  readonly #decoderCount: number;
  readonly #ready = new Map<number, DecodedBatch>();
  readonly #events = new EventEmitter();
  readonly #abort = new AbortController();
  readonly #whole: Promise<void>;
  /** Index of the batch that is handed out next. */
  #next = 0;

  constructor(images: readonly string[], size: number) {
    const perBatch = Math.max(1, Math.min(BATCH_SIZE, Math.floor(BATCH_BYTES / (size * size * 12))));
    this.#jobs = jobsOf(
      images,
      (paths, first): BatchJob => ({ kind: 'pixels', paths, size, index: first / perBatch }),
      perBatch,
    );
    this.#decoderCount = predictionDecoderCount(images.length);
    this.#whole = this.#decode();
    // `inOrder` receives the rejection.
    this.#whole.catch(() => undefined);
  }

  async *inOrder(): AsyncGenerator<DecodedBatch> {
    for (; this.#next < this.#jobs.length; this.#next += 1, this.#events.emit('change')) {
      let batch: DecodedBatch | undefined;
      while ((batch = this.#ready.get(this.#next)) === undefined) {
        await Promise.race([this.#whole, once(this.#events, 'change')]);
      }
      this.#ready.delete(this.#next);
      yield batch;
    }
  }

  stop(): void {
    this.#abort.abort();
    this.#events.emit('change');
  }

  async #decode(): Promise<void> {
    const ahead = this.#decoderCount * BATCHES_AHEAD;
    const { signal } = this.#abort;
    await runDecoders(
      this.#jobs,
      this.#decoderCount,
      async ({ index, paths }, pixels) => {
        this.#ready.set(index, { paths, pixels });
        this.#events.emit('change');
        while (index >= this.#next + ahead && !signal.aborted) await once(this.#events, 'change');
      },
      signal,
    );
  }
}

interface Model {
  readonly config: RunConfig;
  readonly backbone: Backbone;
  readonly network: Network;
  readonly classNames: readonly string[];
}

function predictBatch(
  images: readonly string[],
  decoded: readonly PixelsOrProblem[],
  model: Model,
): readonly ImagePrediction[] {
  const good = decoded.filter((pixels) => pixels instanceof Float32Array);
  const logits = good.length === 0 ? [] : logitsOf(good, model);
  let row = 0;
  return images.map((image, index) => {
    const pixels = decoded[index];
    if (!(pixels instanceof Float32Array)) {
      return { image, className: null, probabilities: [], problem: pixels ?? 'it was not read' };
    }
    const values = logits[row++] ?? new Float32Array();
    const className = model.classNames[predictedLabel(values)] ?? null;
    return { image, className, probabilities: probabilitiesOf(values), problem: null };
  });
}

function logitsOf(pixels: readonly Float32Array[], { config, backbone, network }: Model): readonly Float32Array[] {
  const size = config.imageSize;
  const count = pixels.length;
  const values = new Float32Array(count * size * size * 3);
  pixels.forEach((one, index) => values.set(one, index * one.length));
  const logits = tf.tidy(() => {
    const input = tf.tensor4d(values, [count, size, size, 3]);
    const { layer, pooling } = network.input;
    return network.predict(layer === null ? input : pool(backbone.forward(input, { to: layer }), pooling));
  });
  const all = logits.dataSync<'float32'>();
  logits.dispose();
  const width = all.length / count;
  return Array.from({ length: count }, (_, row) => all.slice(row * width, (row + 1) * width));
}
