import { compileRunConfig } from '../../core/search-space/compile.ts';
import type { RunConfig } from '../../core/run-config.ts';
import type { Parameters } from '../../core/sweep/sweep-spec.ts';
import type { Backbone } from '../backbones/backbone.ts';
import { createBackbone } from '../backbones/graph-backbone.ts';
import type { BackboneParts } from '../backbones/graph-backbone.ts';
import { loadBackboneParts } from '../backbones/load.ts';
import type { LoadOptions } from '../backbones/load.ts';
import { WeightFileMissingError } from '../backbones/weight-file.ts';
import { CheckpointError, readTrainingCheckpoint } from '../checkpoints/training-checkpoint.ts';
import type { TrainingCheckpoint, TrainingState } from '../checkpoints/training-checkpoint.ts';
import type { ProgressListener } from '../engine/progress.ts';
import { assignAll } from '../training/member.ts';
import { FineTuneNetwork, HeadNetwork } from '../training/network.ts';
import type { Network } from '../training/network.ts';

export interface CheckpointReference {
  /** Path of a run's checkpoint file. */
  readonly checkpoint: string;
  /** All parameters of that run. */
  readonly parameters: Parameters;
  readonly classCount: number;
  readonly cacheDir: string;
  /** Receives the progress of downloading the base's weights. */
  readonly onProgress?: ProgressListener;
}

/** A trained model, ready to predict. The caller disposes of network and backbone. */
export interface OpenedCheckpoint {
  readonly config: RunConfig;
  readonly state: TrainingState;
  /** Parts of which `backbone` was built. */
  readonly parts: BackboneParts;
  readonly backbone: Backbone;
  readonly network: Network;
}

/**
 * Builds the network of a run with a checkpoint's tensors, as the EVALUATE stage does.
 *
 * @throws {CheckpointError}, {SafetensorsError}, {BackboneError}, {WeightsUnavailableError}, or {InvalidRequestError} for the parameters.
 */
export async function openCheckpoint(reference: CheckpointReference): Promise<OpenedCheckpoint> {
  const { checkpoint: path, cacheDir, onProgress } = reference;
  const config = compileRunConfig(reference.parameters);
  const checkpoint = await readTrainingCheckpoint(path);
  const { name, weights } = config.backbone;
  const options = { backbone: name, weights, inputSize: config.imageSize, cacheDir };
  const parts = await loadParts(path, onProgress === undefined ? options : { ...options, onProgress });
  if (checkpoint.state.baseDigest !== parts.weightsDigest) {
    throw new CheckpointError(
      path,
      'baseDigest',
      `it was trained on a base whose weights have the digest ${checkpoint.state.baseDigest}, but the weights on ` +
        `this machine have ${parts.weightsDigest}. Pass the weight file it was trained with: --weights FILE.`,
    );
  }
  const backbone = createBackbone(parts);
  const network = createNetwork(path, checkpoint, { config, backbone, classCount: reference.classCount });
  return { config, state: checkpoint.state, parts, backbone, network };
}

/** @throws {CheckpointError} that says how to pass the weights, if they are not on this machine. */
async function loadParts(path: string, options: LoadOptions): Promise<BackboneParts> {
  try {
    return await loadBackboneParts(options);
  } catch (error) {
    if (!(error instanceof WeightFileMissingError)) throw error;
    throw new CheckpointError(
      path,
      'weights',
      `it needs the weights of its base, ${options.backbone}. The run read them from "${options.weights}", and this machine ` +
        'has no such file. Pass a copy of that file: --weights FILE.',
      { cause: error },
    );
  }
}

interface NetworkOptions {
  readonly config: RunConfig;
  readonly backbone: Backbone;
  readonly classCount: number;
}

function createNetwork(
  path: string,
  { state, predicting }: TrainingCheckpoint,
  { config, backbone, classCount }: NetworkOptions,
): Network {
  const { fineTune } = config;
  if (state.stage === 'FINE_TUNE' && fineTune === null) {
    throw new CheckpointError(path, 'stage', 'it is of FINE_TUNE, but the parameters have fine_tune.enabled = false.');
  }
  const network =
    state.stage === 'FINE_TUNE' && fineTune !== null
      ? new FineTuneNetwork(config, fineTune.unfreeze, backbone, classCount)
      : new HeadNetwork(config, backbone, classCount);
  assignAll(path, network.variables, predicting);
  return network;
}
