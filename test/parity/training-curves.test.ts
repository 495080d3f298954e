import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Parameters } from '../../services/core/sweep/sweep-spec.ts';
import { buildLayerGraph } from '../../services/trainer/backbones/layer-graph.ts';
import { backboneDefinition } from '../../services/trainer/backbones/registry.ts';
import { encodeSafetensors } from '../../services/trainer/checkpoints/safetensors.ts';
import { writeTinyImages } from '../integration/worker/tiny-images.ts';
import { formulaWeight } from './formula.ts';
import { kerasVenv } from './keras-venv.ts';
import { recordParity } from './table.ts';
import { GraftTraining } from './training-curves-graft.ts';
import type { GraftCurve } from './training-curves-graft.ts';
import { trainInKeras } from './training-curves-keras.ts';
import type { KerasCurve, KerasPhase, Measurement } from './training-curves-keras.ts';

const SIZE = 48;
/** 36 images in batches of 8: five steps an epoch, the last one of 4 images. */
const BATCH_SIZE = 8;
const EPOCHS = 4;
const STEPS = 20;
const LOSS_LIMIT = 1e-4;

const CASES = [
  { backbone: 'vgg16', pooling: 'flatten', fineTuneRate: 1e-5 },
  // Its last block has BatchNormalization in it.
  { backbone: 'mobilenet_v2', pooling: 'avg', fineTuneRate: 1e-4 },
] as const;

const METHODS = ['A: cached features', 'B: end to end', 'C: last block unfrozen'];

describe('training curves against Keras on this machine, 20 steps', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-curves-'));
  let python: string | null = null;

  beforeAll(async () => {
    const venv = await kerasVenv();
    if ('reason' in venv) console.log(`No Keras here: ${venv.reason}`);
    else python = venv.python;
    writeTinyImages(join(folder, 'images'), { counts: { train: 18, validation: 6, test: 6 }, size: SIZE });
  }, 600_000);

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it.for(CASES)('$backbone, methods A, B and C', { timeout: 300_000 }, async (one, context) => {
    if (python === null) return context.skip('Keras is not installed');
    const { backbone, pooling, fineTuneRate } = one;
    const weights = writeFormulaWeights(folder, backbone);
    const training = await GraftTraining.open({
      folder: join(folder, backbone),
      root: join(folder, 'images'),
      backbone,
      weights,
    });
    const base: Parameters = {
      backbone,
      weights,
      image_size: SIZE,
      batch_size: BATCH_SIZE,
      epochs: EPOCHS,
      'head.pooling': pooling,
      'head.units': 32,
      'head.dropout': 0,
      seed: 3,
      data_seed: 7,
    };
    const cached = { ...base, method: 'cached' };
    const plain = { 'augmentation.flip': 'none', 'augmentation.rotation': 0, 'augmentation.zoom': 0 };
    const endToEnd = { ...base, method: 'augmented', ...plain };
    const fineTune = {
      ...cached,
      'fine_tune.enabled': true,
      'fine_tune.epochs': EPOCHS,
      'fine_tune.learning_rate': fineTuneRate,
    };

    const a = await training.train('HEAD', cached, { everyStep: true });
    const b = await training.train('HEAD', endToEnd, { everyStep: true });
    const c = await training.train('FINE_TUNE', fineTune, { source: a.best, everyStep: true });
    const graft = [a, b, c];

    const initialHead = await training.writeInitialHead(cached);
    const common = { dropout: 0, augmentation: null, batches: training.batches(cached, EPOCHS) };
    const head = { ...common, headWeights: initialHead, unfreezeFrom: null };
    const phases: KerasPhase[] = [
      { ...head, method: 'cached', optimizer: { name: 'rmsprop', learningRate: 1e-3 } },
      { ...head, method: 'end-to-end', optimizer: { name: 'rmsprop', learningRate: 1e-3 } },
      {
        ...common,
        method: 'end-to-end',
        headWeights: training.artifacts.localPath(a.best.uri),
        unfreezeFrom: training.trainableFrom(fineTune),
        optimizer: { name: 'rmsprop', learningRate: fineTuneRate },
      },
    ];
    const keras = await trainInKeras(python, folder, { ...training.jobBase(cached, weights), phases });

    const errors = METHODS.map((method, index) => compareCurves(method, backbone, graft[index], keras[index]));
    for (const [index, { loss, accuracy }] of errors.entries()) {
      expect(loss, `loss, ${METHODS[index] ?? ''}`).toBeLessThan(LOSS_LIMIT);
      expect(accuracy, `accuracy, ${METHODS[index] ?? ''}`).toBeLessThan(1e-6);
    }
  });
});

/** Largest relative error of the losses, largest difference of the accuracies, over steps and validations. */
function compareCurves(
  method: string,
  backbone: string,
  graft: GraftCurve | undefined,
  keras: KerasCurve | undefined,
): { readonly loss: number; readonly accuracy: number } {
  if (graft === undefined || keras === undefined) throw new Error(`Method ${method} was not trained.`);
  expect([graft.steps.length, keras.steps.length]).toEqual([STEPS, STEPS]);
  expect([graft.epochs.length, keras.epochs.length]).toEqual([EPOCHS, EPOCHS]);
  // A curve that stands still would agree with anything that does not train.
  const losses = keras.steps.map(({ loss }) => loss);
  expect(Math.max(...losses) / Math.min(...losses)).toBeGreaterThan(1.01);
  const pairs = [...pairsOf(graft.steps, keras.steps), ...pairsOf(validationOf(graft), validationOf(keras))];
  const loss = Math.max(...pairs.map(([ours, theirs]) => Math.abs(ours.loss - theirs.loss) / theirs.loss));
  const accuracy = Math.max(...pairs.map(([ours, theirs]) => Math.abs(ours.accuracy - theirs.accuracy)));
  recordParity({ check: `loss per step, ${method}`, family: backbone, size: SIZE, maxError: loss, limit: LOSS_LIMIT });
  recordParity({ check: `accuracy, ${method}`, family: backbone, size: SIZE, maxError: round(accuracy), limit: 0 });
  return { loss, accuracy };
}

function validationOf({ epochs }: GraftCurve | KerasCurve): readonly Measurement[] {
  return epochs.map(({ val_loss, val_accuracy }) => ({ loss: val_loss, accuracy: val_accuracy }));
}

function pairsOf(
  ours: readonly Measurement[],
  theirs: readonly Measurement[],
): readonly (readonly [Measurement, Measurement])[] {
  return ours.map((one, index) => [one, theirs[index] ?? { loss: NaN, accuracy: NaN }]);
}

/** Both sides round a fraction of a few images to float32. */
function round(accuracy: number): number {
  return accuracy < 1e-6 ? 0 : accuracy;
}

function writeFormulaWeights(folder: string, backbone: string): string {
  const { weights } = buildLayerGraph(backbone, backboneDefinition(backbone).layers(SIZE), SIZE);
  const tensors = weights
    .flat()
    .map(({ name, shape }) => ({ name, shape: [...shape], values: formulaWeight(name, shape) }));
  const path = join(folder, `${backbone}.safetensors`);
  writeFileSync(path, Buffer.concat(encodeSafetensors(tensors, {})));
  return path;
}
