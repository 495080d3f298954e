import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { loadBackbone } from '../../../services/trainer/backbones/load.ts';
import { readTrainingCheckpoint } from '../../../services/trainer/checkpoints/training-checkpoint.ts';
import { FineTuneNetwork } from '../../../services/trainer/training/network.ts';
import { InProcessWorker } from './in-process-worker.ts';
import { SweepOnWorker, curve, lastCheckpoint, taskRun } from './sweep-on-worker.ts';
import { writeTinyImages } from './tiny-images.ts';

const RATE = 0.02;
const CLIP_NORM = 0.002;
const EPOCHS = 3;
/** 20 images in batches of 8. */
const STEPS_PER_EPOCH = 3;
const STEPS = EPOCHS * STEPS_PER_EPOCH;

const BASE: Parameters = {
  backbone: 'mobilenet_v2',
  weights: 'random',
  // Random weights make the outputs of deep layers vanish.
  cut: 'expanded_conv_project_BN',
  image_size: 32,
  batch_size: 8,
  epochs: 0,
  'head.units': 16,
  'head.dropout': 0,
  'fine_tune.enabled': true,
  'fine_tune.allow_untrained_head': true,
  'fine_tune.unfreeze': 'expanded_conv_project',
  'fine_tune.epochs': EPOCHS,
  'fine_tune.optimizer': 'sgd',
  'fine_tune.learning_rate': RATE,
  'fine_tune.schedule': 'cosine',
};

describe('fine-tuning under an untrained head, with a schedule and clipped gradients', () => {
  let root: string;
  let sweep: SweepOnWorker;

  const newWorker = (): InProcessWorker =>
    new InProcessWorker({
      artifacts: new DirectoryArtifactStore(join(root, 'artifacts')),
      cacheDir: join(root, 'cache'),
      checkpointSeconds: 1000,
    });

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'graft-untrained-head-'));
    writeTinyImages(join(root, 'data'), { counts: { train: 10, validation: 6, test: 6 } });
    sweep = new SweepOnWorker(join(root, 'data'), 'mobilenet_v2', 'random');
    await sweep.index(newWorker());
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it.each(['cached', 'augmented'])('method %s', async (method) => {
    const clipped = { ...BASE, method, 'fine_tune.clip_norm': CLIP_NORM };
    const { rates, moves, correct } = await fineTune(`${method}-clipped`, clipped);
    // The reported rate of an epoch is that of its last step.
    const lastSteps = Array.from({ length: EPOCHS }, (_, epoch) => (epoch + 1) * STEPS_PER_EPOCH - 1);
    for (const [epoch, step] of lastSteps.entries()) expect(rates[epoch]).toBeCloseTo(cosineRate(step), 8);
    expect(correct).toBeGreaterThan(0);

    // Plain SGD moves at most rate × norm in a step.
    const farthest = CLIP_NORM * Array.from({ length: STEPS }, (_, step) => cosineRate(step)).reduce((a, b) => a + b);
    for (const [name, move] of moves) {
      expect(move, name).toBeGreaterThan(0);
      expect(move, name).toBeLessThanOrEqual(farthest * 1.001);
    }
    const free = await fineTune(`${method}-free`, { ...BASE, method });
    expect(Math.max(...free.moves.values())).toBeGreaterThan(2 * farthest);
  });

  it('is refused if the run does not allow it', () => {
    const silent = { ...BASE, 'fine_tune.allow_untrained_head': false };
    expect(() => compileRunConfig(silent)).toThrow(/fine_tune\.allow_untrained_head: true/);
  });

  /** Returns the rate of each epoch, the distance of each tensor at the last step, and the correct test images of the best epoch. */
  async function fineTune(runId: string, parameters: Parameters) {
    const worker = newWorker();
    const featureSets = await sweep.computeFeatures(worker, sweep.featureSets(parameters, 'FINE_TUNE'));
    const task = sweep.task('FINE_TUNE', { runs: [taskRun(runId, parameters)], featureSets });
    const { outcomes } = await worker.complete(task, 'TRAIN');
    expect(outcomes).toMatchObject([{ kind: 'SUCCEEDED', epochCount: EPOCHS }]);
    const last = lastCheckpoint(worker.events, runId, 'LAST', 'FINE_TUNE');
    const best = lastCheckpoint(worker.events, runId, 'BEST', 'FINE_TUNE');
    const run = taskRun(runId, parameters, { sourceCheckpoint: best });
    const { measurements } = await worker.complete(sweep.task('EVALUATE', { runs: [run] }), 'EVALUATE');
    const predictions = measurements[0]?.predictions ?? [];
    return {
      rates: curve(worker.events, runId, 'FINE_TUNE').map(({ values }) => values['learning_rate']),
      moves: await movesOf(parameters, join(root, 'artifacts', last.uri)),
      correct: predictions.filter(({ label, predictedLabel }) => label === predictedLabel).length,
    };
  }
});

/** Computes `CosineDecay(RATE, STEPS)`. */
function cosineRate(step: number): number {
  return (RATE * (1 + Math.cos((Math.PI * step) / STEPS))) / 2;
}

/** Returns the norm of each trained tensor's change, by name. */
async function movesOf(parameters: Parameters, path: string): Promise<ReadonlyMap<string, number>> {
  const config = compileRunConfig(parameters);
  const backbone = await loadBackbone({ backbone: 'mobilenet_v2', weights: 'random', inputSize: 32, cacheDir: '' });
  const network = new FineTuneNetwork(config, config.fineTune?.unfreeze ?? '', backbone, 2);
  const { trained } = await readTrainingCheckpoint(path);
  const moves = network.variables.map((variable): [string, number] => {
    const end = trained.get(variable.name)?.values ?? new Float32Array();
    const squares = variable.values().reduce((sum, start, index) => sum + ((end[index] ?? NaN) - start) ** 2, 0);
    return [variable.name, Math.sqrt(squares)];
  });
  network.dispose();
  backbone.dispose();
  return new Map(moves);
}
