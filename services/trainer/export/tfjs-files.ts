import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { functionalConfig } from './functional-config.ts';
import type { KerasLayer, KerasModel } from './keras-layer.ts';
import { KERAS_VERSION } from './model-card.ts';
import type { ModelCard } from './model-card.ts';

/** Shard size of TensorFlow.js' converter, with which browsers cache shards separately. */
const SHARD_BYTES = 4 * 2 ** 20;

const TFJS_MODEL_FILE = 'model.json';

/**
 * Writes TensorFlow.js' layers format: `model.json` and `group1-shard<n>of<m>.bin`. Removes files of an earlier export from the
 * folder. `userDefinedMetadata` has the card.
 *
 * @returns the names of the files.
 */
export async function writeTfjsFiles(folder: string, model: KerasModel, card: ModelCard): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    if (name === TFJS_MODEL_FILE || /^group1-shard\d+of\d+\.bin$/.test(name)) await rm(join(folder, name));
  }
  const weights = model.layers.flatMap(tfjsWeights);
  const shards = cutShards(
    weights.map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)),
  );
  const paths = shards.map((_, index) => `group1-shard${index + 1}of${shards.length}.bin`);
  for (const [index, path] of paths.entries()) await writeFile(join(folder, path), shards[index] ?? Buffer.alloc(0));
  const json = {
    format: 'layers-model',
    generatedBy: `keras v${KERAS_VERSION}`,
    convertedBy: 'Graft',
    userDefinedMetadata: { graft: card },
    modelTopology: {
      keras_version: KERAS_VERSION,
      backend: 'tensorflow',
      model_config: functionalConfig(model, 'keras-2'),
    },
    weightsManifest: [{ paths, weights: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })) }],
  };
  await writeFile(join(folder, TFJS_MODEL_FILE), JSON.stringify(json));
  return [TFJS_MODEL_FILE, ...paths];
}

interface TfjsWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

function tfjsWeights({ className, name, weights }: KerasLayer): readonly TfjsWeight[] {
  return weights.map((weight) => {
    if (!(weight.values instanceof Float32Array)) throw new RangeError(`${name}/${weight.name} must be float32.`);
    // TensorFlow.js has Keras 2's name for Keras 3's `kernel`.
    const role = className === 'DepthwiseConv2D' && weight.name === 'kernel' ? 'depthwise_kernel' : weight.name;
    return { name: `${name}/${role}`, shape: weight.shape, values: weight.values };
  });
}

function cutShards(parts: readonly Buffer[]): readonly Buffer[] {
  const all = Buffer.concat(parts);
  const count = Math.max(1, Math.ceil(all.length / SHARD_BYTES));
  return Array.from({ length: count }, (_, index) => all.subarray(index * SHARD_BYTES, (index + 1) * SHARD_BYTES));
}
