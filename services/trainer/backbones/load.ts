import type { WeightsInfo, WeightsReference } from '../../core/task.ts';
import { hashFileOnce } from '../../platform/files/hash-file.ts';
import { BackboneError } from '../../core/network/backbone-error.ts';
import type { Backbone } from './backbone.ts';
import { IMAGENET_DEVIATIONS } from '../../core/network/backbones/efficientnet.ts';
import type { Weights } from './folded-weights.ts';
import { createBackbone } from './graph-backbone.ts';
import type { BackboneParts } from './graph-backbone.ts';
import { readHdf5Apart } from './hdf5-reader.ts';
import { readHdf5Weights } from './hdf5-weights.ts';
import { withArchivedWeights } from './keras-archive.ts';
import { buildLayerGraph } from '../../core/network/layer-graph.ts';
import { PREPROCESSINGS } from './preprocessing.ts';
import { randomWeights, randomWeightsDigest } from './random-weights.ts';
import { backboneDefinition } from '../../core/network/backbones.ts';
import type { BackboneDefinition, Preprocessing } from '../../core/network/backbone-definition.ts';
import { readSafetensorsWeights } from './safetensors-weights.ts';
import { lookalikeHint } from './weight-file-error.ts';
import { findWeightFile } from './weight-file.ts';
import type { WeightFileOptions } from './weight-file.ts';

export interface LoadOptions extends WeightFileOptions, WeightsReference {
  /** Height and width in pixels. */
  readonly inputSize: number;
}

/** Sizes at which a base is put together to learn its layers; they don't depend on it. */
const DESCRIPTION_SIZE = 224;
/** Seed of `random` weights; the run's own seed is for trained tensors. */
const RANDOM_SEED = 0;

/**
 * Loads a base with its weights: `imagenet`, `random`, or the path of a `.safetensors`, `.h5` or `.keras` file.
 *
 * @throws BackboneError, WeightsUnavailableError
 */
export async function loadBackbone(options: LoadOptions): Promise<Backbone> {
  return createBackbone(await loadBackboneParts(options));
}

/**
 * Loads the layers one by one and their weights, without folding.
 *
 * @throws as `loadBackbone` does.
 */
export async function loadBackboneParts(options: LoadOptions): Promise<BackboneParts> {
  const definition = backboneDefinition(options.backbone);
  const common = { name: definition.name, inputSize: options.inputSize };
  if (options.weights === 'random') {
    const layers = definition.layers(options.inputSize);
    const weights = randomWeights(buildLayerGraph(definition.name, layers, options.inputSize), RANDOM_SEED);
    const weightsDigest = randomWeightsDigest(definition.name, RANDOM_SEED);
    return { ...common, layers, weights, weightsDigest, preprocessing: definition.preprocessing };
  }
  const path = await findWeightFile(definition, options.weights, options);
  const [weightsDigest, file] = await Promise.all([hashFileOnce(path, 'sha256'), readWeights(definition, path)]);
  const layers = layersFor(definition, options, file.weights)(options.inputSize);
  return { ...common, layers, weightsDigest, ...file };
}

/**
 * Finds the file of a base's weights, or downloads it.
 *
 * @throws WeightFileMissingError, BackboneError when a known digest doesn't match, WeightsUnavailableError
 */
export async function findWeights({ backbone, weights }: WeightsReference, options: WeightFileOptions): Promise<void> {
  if (weights !== 'random') await findWeightFile(backboneDefinition(backbone), weights, options);
}

/**
 * Reads the weights once and drops them, so that a file that can't be used is refused before anything is planned on it. An HDF5
 * file is read in a thread of its own, which costs a second: what comes later reads a file that has passed.
 *
 * @throws as `loadBackbone`
 */
export async function checkWeights(reference: WeightsReference, options: WeightFileOptions): Promise<void> {
  if (reference.weights === 'random') return;
  const definition = backboneDefinition(reference.backbone);
  await readWeights(definition, await findWeightFile(definition, reference.weights, options), readHdf5Apart);
}

/**
 * Returns the digest of a base's weights.
 *
 * @throws as `loadBackbone`
 */
export async function describeWeights(reference: WeightsReference, options: WeightFileOptions): Promise<WeightsInfo> {
  const definition = backboneDefinition(reference.backbone);
  if (reference.weights === 'random') {
    return { ...reference, digest: randomWeightsDigest(definition.name, RANDOM_SEED) };
  }
  const path = await findWeightFile(definition, reference.weights, options);
  return { ...reference, digest: await hashFileOnce(path, 'sha256') };
}

type MakeLayers = BackboneDefinition['layers'];

/**
 * Keras adds layers for published weights only when they are asked for by name, so that `weights=<path of the same file>` gives
 * another network. Here a file that descends from the published one is known by its normalisation.
 */
function layersFor(definition: BackboneDefinition, { weights: name }: WeightsReference, weights: Weights): MakeLayers {
  const { publishedLayers } = definition;
  if (publishedLayers === undefined) return definition.layers;
  return name === 'imagenet' || hasPublishedNormalization(weights) ? publishedLayers : definition.layers;
}

interface WeightsWithPreprocessing {
  readonly weights: Weights;
  readonly preprocessing: Preprocessing;
}

async function readWeights(
  definition: BackboneDefinition,
  path: string,
  readHdf5: typeof readHdf5Weights = readHdf5Weights,
): Promise<WeightsWithPreprocessing> {
  const { name, preprocessing } = definition;
  const graph = buildLayerGraph(name, definition.layers(DESCRIPTION_SIZE), DESCRIPTION_SIZE);
  if (/\.(h5|hdf5)$/.test(path)) return { weights: await readHdf5(path, graph), preprocessing };
  if (path.endsWith('.keras')) {
    const weights = await withArchivedWeights(path, graph, async (file) => readHdf5(file, graph, path));
    return { weights, preprocessing };
  }
  if (!path.endsWith('.safetensors')) {
    throw new BackboneError(
      `weights: "${path}" ends neither in .safetensors nor in .h5 nor in .keras${await lookalikeHint(path)}.`,
      {
        backbone: name,
      },
    );
  }
  const { weights, metadata } = await readSafetensorsWeights(path, graph);
  return { weights, preprocessing: preprocessingOf(definition, metadata['preprocessing']) };
}

/** Returns the preprocessing that the weights declare, by default that of the family. */
function preprocessingOf(definition: BackboneDefinition, name: string | undefined): Preprocessing {
  if (name === undefined) return definition.preprocessing;
  const known = PREPROCESSINGS.find((candidate) => candidate === name);
  if (known !== undefined) return known;
  throw new BackboneError(`The weights ask for preprocessing "${name}"; known are ${PREPROCESSINGS.join(', ')}.`, {
    backbone: definition.name,
  });
}

/** Returns whether weights descend from Keras' published ones, which contain deviations instead of variances. */
function hasPublishedNormalization(weights: Weights): boolean {
  const variance = weights.get('normalization/variance')?.values ?? [];
  return IMAGENET_DEVIATIONS.every((deviation, channel) => Math.abs((variance[channel] ?? NaN) - deviation) < 1e-3);
}
