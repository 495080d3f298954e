import { readFile } from 'node:fs/promises';
import { compileRunConfig } from '../../core/search-space/compile.ts';
import type { RunConfig } from '../../core/run-config.ts';
import { loadBackbone } from '../backbones/load.ts';
import type { Backbone } from '../backbones/backbone.ts';
import { CheckpointError, readTrainingCheckpoint } from '../checkpoints/training-checkpoint.ts';
import type { TrainingCheckpoint } from '../checkpoints/training-checkpoint.ts';
import { decodeAndResize, ImageDecodeError } from '../data/decode.ts';
import { tf } from '../engine/engine.ts';
import { predictedLabel, probabilitiesOf } from '../heads/loss.ts';
import { assignAll } from '../training/member.ts';
import { FineTuneNetwork, HeadNetwork } from '../training/network.ts';
import type { Network } from '../training/network.ts';
import { pool } from '../training/pooling.ts';
import type { ImagePrediction, ToolEvent, ToolRequest } from './protocol.ts';

const BATCH_SIZE = 32;

/**
 * Classifies image files with a checkpoint, as the EVALUATE stage classifies the test split: the base without augmentation,
 * the head without dropout.
 *
 * @throws CheckpointError, SafetensorsError, BackboneError, DownloadError, InvalidRequestError for the parameters
 */
export async function predict(
  request: Extract<ToolRequest, { type: 'predict' }>,
  emit: (event: ToolEvent) => void,
): Promise<void> {
  const { checkpoint: path, parameters, classNames, images, cacheDir } = request;
  const config = compileRunConfig(parameters);
  const checkpoint = await readTrainingCheckpoint(path);
  const { name, weights } = config.backbone;
  const backbone = await loadBackbone({ backbone: name, weights, inputSize: config.imageSize, cacheDir });
  if (checkpoint.state.baseDigest !== backbone.weightsDigest) {
    throw new CheckpointError(
      path,
      'baseDigest',
      `it was trained on a base whose weights have the digest ${checkpoint.state.baseDigest}, but those here have ` +
        `${backbone.weightsDigest}. Use the weight file it was trained with.`,
    );
  }
  const network = createNetwork(path, checkpoint, config, backbone, classNames.length);
  for (let start = 0; start < images.length; start += BATCH_SIZE) {
    const batch = images.slice(start, start + BATCH_SIZE);
    for (const prediction of await predictBatch(batch, { config, backbone, network, classNames })) {
      emit({ type: 'prediction', ...prediction });
    }
  }
  network.dispose();
  backbone.dispose();
}

function createNetwork(
  path: string,
  { state, trained }: TrainingCheckpoint,
  config: RunConfig,
  backbone: Backbone,
  classCount: number,
): Network {
  const { fineTune } = config;
  if (state.stage === 'FINE_TUNE' && fineTune === null) {
    throw new CheckpointError(
      path,
      'stage',
      'it comes from fine-tuning, but the parameters have fine_tune.enabled off.',
    );
  }
  const network =
    state.stage === 'FINE_TUNE' && fineTune !== null
      ? new FineTuneNetwork(config, fineTune.unfreeze, backbone, classCount)
      : new HeadNetwork(config, backbone, classCount);
  assignAll(path, network.variables, trained);
  return network;
}

interface Model {
  readonly config: RunConfig;
  readonly backbone: Backbone;
  readonly network: Network;
  readonly classNames: readonly string[];
}

async function predictBatch(images: readonly string[], model: Model): Promise<readonly ImagePrediction[]> {
  const size = model.config.imageSize;
  const decoded = await Promise.all(images.map((image) => decodeFile(image, size)));
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

/** Pixels, or what is wrong with the file. */
async function decodeFile(path: string, size: number): Promise<Float32Array | string> {
  try {
    return decodeAndResize(await readFile(path), size);
  } catch (error) {
    if (error instanceof ImageDecodeError) return error.reason;
    return `it can't be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
  }
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
