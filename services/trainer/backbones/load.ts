import type { WeightsInfo, WeightsReference } from '../../core/task.ts';
import { hashFile } from '../../platform/http/download.ts';
import { readSafetensors } from '../checkpoints/safetensors.ts';
import { BackboneError } from './backbone.ts';
import type { Backbone } from './backbone.ts';
import type { Weights } from './folded-weights.ts';
import { createBackbone } from './graph-backbone.ts';
import { readHdf5Weights } from './hdf5-weights.ts';
import { buildLayerGraph } from './layer-graph.ts';
import { PREPROCESSINGS } from './preprocessing.ts';
import type { Preprocessing } from './preprocessing.ts';
import { randomWeights, randomWeightsDigest } from './random-weights.ts';
import { backboneDefinition } from './registry.ts';
import type { BackboneDefinition } from './registry.ts';
import { findWeightFile } from './weight-file.ts';
import type { WeightFileOptions } from './weight-file.ts';

export interface LoadOptions extends WeightFileOptions, WeightsReference {
  /** Height and width in pixels. */
  readonly inputSize: number;
}

/** Sizes at which a base is put together to learn its layers; they don't depend on it. */
const DESCRIPTION_SIZE = 224;
/** Of `random` weights; the run's own seed is for what is trained. */
const RANDOM_SEED = 0;

/**
 * Loads a base with its weights: `imagenet`, `random`, or the path of a `.safetensors` or `.h5` file.
 *
 * @throws BackboneError, DownloadError, SafetensorsError
 */
export async function loadBackbone(options: LoadOptions): Promise<Backbone> {
  const definition = backboneDefinition(options.backbone);
  const layers = definition.layers(options.inputSize);
  const common = { name: definition.name, inputSize: options.inputSize, layers };
  if (options.weights === 'random') {
    const weights = randomWeights(buildLayerGraph(definition.name, layers, options.inputSize), RANDOM_SEED);
    const weightsDigest = randomWeightsDigest(definition.name, RANDOM_SEED);
    return createBackbone({ ...common, weights, weightsDigest, preprocessing: definition.preprocessing });
  }
  const path = await findWeightFile(definition, options.weights, options);
  const [weightsDigest, file] = await Promise.all([hashFile(path, 'sha256'), readWeights(definition, path)]);
  return createBackbone({ ...common, weightsDigest, ...file });
}

/**
 * What a coordinator needs to know of a base: its layers and the digest of its weights.
 *
 * @throws as `loadBackbone`
 */
export async function describeWeights(reference: WeightsReference, options: WeightFileOptions): Promise<WeightsInfo> {
  const definition = backboneDefinition(reference.backbone);
  const graph = buildLayerGraph(definition.name, definition.layers(DESCRIPTION_SIZE), DESCRIPTION_SIZE);
  if (reference.weights === 'random') {
    return { ...reference, digest: randomWeightsDigest(definition.name, RANDOM_SEED), layers: graph.infos };
  }
  const path = await findWeightFile(definition, reference.weights, options);
  return { ...reference, digest: await hashFile(path, 'sha256'), layers: graph.infos };
}

interface WeightsWithPreprocessing {
  readonly weights: Weights;
  readonly preprocessing: Preprocessing;
}

async function readWeights(definition: BackboneDefinition, path: string): Promise<WeightsWithPreprocessing> {
  if (/\.(h5|hdf5)$/.test(path)) {
    const graph = buildLayerGraph(definition.name, definition.layers(DESCRIPTION_SIZE), DESCRIPTION_SIZE);
    return { weights: await readHdf5Weights(path, graph), preprocessing: definition.preprocessing };
  }
  if (!path.endsWith('.safetensors')) {
    throw new BackboneError(`weights: "${path}" ends neither in .safetensors nor in .h5.`, {
      backbone: definition.name,
    });
  }
  const { tensors, metadata } = await readSafetensors(path);
  return { weights: tensors, preprocessing: preprocessingOf(definition, metadata['preprocessing']) };
}

/** The weights say how they want their images; without a word, as the family does. */
function preprocessingOf(definition: BackboneDefinition, name: string | undefined): Preprocessing {
  if (name === undefined) return definition.preprocessing;
  const known = PREPROCESSINGS.find((candidate) => candidate === name);
  if (known !== undefined) return known;
  throw new BackboneError(`The weights ask for preprocessing "${name}"; known are ${PREPROCESSINGS.join(', ')}.`, {
    backbone: definition.name,
  });
}
