import { basename } from 'node:path';
import { fileKind } from '../../core/file-kind.ts';
import type { RunConfig } from '../../core/run-config.ts';
import type { Backbone } from '../backbones/backbone.ts';
import { readRegularFile } from '../../platform/files/read-regular-file.ts';
import { problemOfContents, problemOfReading } from '../data/check-file.ts';
import { decodeAndResize, ImageDecodeError } from '../data/decode-image.ts';
import { tf } from '../engine/engine.ts';
import { predictedLabel, probabilitiesOf } from '../heads/loss.ts';
import type { Network } from '../training/network.ts';
import { pool } from '../training/pooling.ts';
import { openCheckpoint } from './open-checkpoint.ts';
import type { ImagePrediction, ToolEvent, ToolRequest } from './tool-protocol.ts';

const BATCH_SIZE = 32;

/**
 * Classifies image files with a checkpoint, as the EVALUATE stage classifies the test split: the base without augmentation,
 * the head without dropout.
 *
 * @throws the errors of `openCheckpoint`.
 */
export async function predict(
  request: Extract<ToolRequest, { type: 'predict' }>,
  emit: (event: ToolEvent) => void,
): Promise<void> {
  const { classNames, images } = request;
  const { config, backbone, network } = await openCheckpoint({ ...request, classCount: classNames.length });
  for (let start = 0; start < images.length; start += BATCH_SIZE) {
    const batch = images.slice(start, start + BATCH_SIZE);
    for (const prediction of await predictBatch(batch, { config, backbone, network, classNames })) {
      emit({ type: 'prediction', ...prediction });
    }
  }
  network.dispose();
  backbone.dispose();
}

interface Model {
  readonly config: RunConfig;
  readonly backbone: Backbone;
  readonly network: Network;
  readonly classNames: readonly string[];
}

async function predictBatch(images: readonly string[], model: Model): Promise<readonly ImagePrediction[]> {
  const size = model.config.imageSize;
  // One after the other, so that only one large file is in memory at a time.
  const decoded: (Float32Array | string)[] = [];
  for (const image of images) decoded.push(await decodeFile(image, size));
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

/**
 * Returns the pixels of a file, or its problem. Prediction refuses what training refuses, except for the file extension: here a
 * person has named each file.
 */
async function decodeFile(path: string, size: number): Promise<Float32Array | string> {
  if (fileKind(basename(path)) === 'other-image') {
    return 'its format is not supported, as in training; convert it to JPEG or PNG';
  }
  try {
    const contents = await readRegularFile(path);
    return problemOfContents(contents)?.reason ?? decodeAndResize(contents, size);
  } catch (error) {
    if (error instanceof ImageDecodeError) return error.reason;
    return problemOfReading(error instanceof Error ? error : new Error(String(error))).reason;
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
