import { writeFileSync } from 'node:fs';
import { compileRunConfig } from '../../services/core/search-space/compile.ts';
import type { Parameters } from '../../services/core/sweep/sweep-spec.ts';
import { buildLayerGraph } from '../../services/core/network/layer-graph.ts';
import { loadBackbone } from '../../services/trainer/backbones/load.ts';
import { backboneDefinition } from '../../services/core/network/backbones.ts';
import { encodeSafetensors } from '../../services/trainer/checkpoints/safetensors.ts';
import type { NamedTensor } from '../../services/trainer/checkpoints/safetensors.ts';
import { encodeTrainingCheckpoint } from '../../services/trainer/checkpoints/training-checkpoint.ts';
import { FineTuneNetwork, HeadNetwork } from '../../services/trainer/training/network.ts';
import { formulaUniform, formulaWeight } from './formula.ts';

/** Variance in Keras' published EfficientNets. */
const PUBLISHED_VARIANCE = [0.229, 0.224, 0.225];

/**
 * Writes a weight file for a base, filled by the formula.
 *
 * @param published as Keras publishes EfficientNets, which then have one more layer.
 */
export function writeFormulaWeights(
  path: string,
  backbone: string,
  published: boolean,
  kernelGain = exportGain(backbone, published),
): void {
  const graph = buildLayerGraph(backbone, backboneDefinition(backbone).layers(224), 224);
  const tensors = graph.weights.flat().map(({ name, shape }) => {
    const values = formulaWeight(name, shape);
    if (published && name === 'normalization/variance') values.set(PUBLISHED_VARIANCE);
    const gain = name.endsWith('kernel') ? kernelGain : 1;
    return { name, shape, values: gain === 1 ? values : values.map((value) => value * gain) };
  });
  writeParts(path, encodeSafetensors(tensors, {}));
}

/** Returns a gain that lets differences between images reach the end of a deep base without overflow. */
function exportGain(backbone: string, published: boolean): number {
  if (backbone === 'efficientnet_b0') return published ? 1.45 : 1.6;
  if (backbone === 'efficientnet_v2_b0') return 1.3;
  return backbone === 'mobilenet_v2' ? 1.5 : 1;
}

/** Writes a checkpoint of a run whose trained tensors all differ from their initial values. */
export async function writeCheckpoint(path: string, parameters: Parameters, classCount: number): Promise<void> {
  const config = compileRunConfig(parameters);
  const { name, weights } = config.backbone;
  const backbone = await loadBackbone({ backbone: name, weights, inputSize: config.imageSize, cacheDir: '' });
  const { fineTune } = config;
  const network =
    fineTune === null
      ? new HeadNetwork(config, backbone, classCount)
      : new FineTuneNetwork(config, fineTune.unfreeze, backbone, classCount);
  const trained = network.variables.map((variable): NamedTensor => {
    const moves = formulaUniform(`move ${variable.name}`, variable.shape);
    const values = variable.values();
    const size = variable.name.endsWith('/bias') ? 0.1 : 0.2 * rootMeanSquare(values);
    return { name: variable.name, shape: variable.shape, values: values.map((x, i) => x + size * (moves[i] ?? 0)) };
  });
  const state = {
    runId: 'run-1',
    stage: fineTune === null ? 'HEAD' : 'FINE_TUNE',
    kind: 'BEST',
    epoch: 3,
    stepInEpoch: 0,
    step: 12,
    trainedTensors: trained.map(({ name: tensor, shape }) => ({ name: tensor, shape: [...shape] })),
    baseDigest: backbone.weightsDigest,
    randomKeys: { seed: 1, dataSeed: 1, augmentationSeed: null },
    optimizer: { name: 'rmsprop', iterations: 12 },
    schedule: { baseRate: 1e-3, best: null, wait: 0 },
    earlyStopping: { best: null, wait: 0, stopped: false },
    best: null,
    lastValue: null,
    sums: { imageCount: 0, lossSum: 0, correctCount: 0 },
  } as const;
  writeParts(path, encodeTrainingCheckpoint({ ...state, trainedTensors: state.trainedTensors }, trained, []));
  network.dispose();
  backbone.dispose();
}

function writeParts(path: string, parts: readonly Uint8Array[]): void {
  writeFileSync(path, '');
  for (const part of parts) writeFileSync(path, part, { flag: 'a' });
}

function rootMeanSquare(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}
