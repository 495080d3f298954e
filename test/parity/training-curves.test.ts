import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Parameters } from '../../services/core/sweep/sweep-spec.ts';
import { readSafetensors } from '../../services/trainer/checkpoints/safetensors.ts';
import { openCheckpoint } from '../../services/trainer/tool/open-checkpoint.ts';
import { writeTinyImages } from '../integration/worker/tiny-images.ts';
import { writeFormulaWeights } from './export-checkpoint-file.ts';
import { kerasVenv, skipWithoutKeras } from './keras-venv.ts';
import type { KerasVenv } from './keras-venv.ts';
import { recordParity } from './table.ts';
import { GraftTraining } from './training-curves-graft.ts';
import type { GraftCurve } from './training-curves-graft.ts';
import { trainInKeras } from './training-curves-keras.ts';
import type { KerasCurve, KerasPhase, Measurement } from './training-curves-keras.ts';

/** 36 images in batches of 8: five steps an epoch, the last one of 4 images. */
const BATCH_SIZE = 8;
const EPOCHS = 4;
const STEPS = 20;
const LOSS_LIMIT = 1e-4;
/**
 * Limit of a tensor's relative change. RMSprop divides a gradient by its own size, so a gradient near zero, whose sign
 * depends on rounding, moves its weight as far as any other.
 */
const MOVE_LIMIT = 0.05;

/**
 * One case of each family; except for VGG, the last block contains BatchNormalization. `gain` on the formula's kernels
 * keeps the outputs of a deep base near 1: with larger ones losses are in the hundreds, and RMSprop makes their
 * rounding errors visible.
 */
const CASES = [
  { backbone: 'vgg16', size: 48, pooling: 'flatten', rate: 1e-3, fineTuneRate: 1e-5, gain: 1 },
  // Keras accepts no smaller images.
  { backbone: 'xception', size: 71, pooling: 'avg', rate: 1e-3, fineTuneRate: 1e-5, gain: 1 },
  { backbone: 'resnet50', size: 48, pooling: 'avg', rate: 1e-3, fineTuneRate: 1e-5, gain: 0.4 },
  { backbone: 'mobilenet_v2', size: 48, pooling: 'avg', rate: 1e-3, fineTuneRate: 1e-4, gain: 1 },
  { backbone: 'efficientnet_b0', size: 48, pooling: 'avg', rate: 1e-3, fineTuneRate: 1e-4, gain: 1.6 },
  { backbone: 'densenet121', size: 48, pooling: 'avg', rate: 1e-3, fineTuneRate: 1e-4, gain: 1 },
] as const;

/** Bases of `npm test`: a plain one, and one with BatchNormalization and depthwise convolutions. `npm run test:parity` trains all. */
const SAMPLE: readonly string[] = ['vgg16', 'mobilenet_v2'];
const TRAINED_CASES =
  process.env['GRAFT_PARITY_CASES'] === 'all' ? CASES : CASES.filter(({ backbone }) => SAMPLE.includes(backbone));

/** The same with a warm-up, accumulated gradients and averaged weights in both phases. */
const EXTRAS_CASE = {
  ...{ backbone: 'mobilenet_v2', size: 48, pooling: 'avg', rate: 1e-2, fineTuneRate: 1e-3, gain: 1 },
  withExtras: true,
} as const;
const EXTRAS = { gradientAccumulationSteps: 3, emaMomentum: 0.8 };
/** Steps of the warm-up are those of one epoch. */
const COSINE = { start: 0.1, warmupSteps: 5, decaySteps: STEPS - 5, alpha: 0.1 };

/** Returns the same for one phase of a run. */
function extraParameters(optimizer: string, schedule: string, name: string): Parameters {
  return {
    [`${optimizer}gradient_accumulation_steps`]: EXTRAS.gradientAccumulationSteps,
    [`${optimizer}ema_momentum`]: EXTRAS.emaMomentum,
    [name]: 'cosine',
    [`${schedule}warmup_epochs`]: 1,
    [`${schedule}warmup_start`]: COSINE.start,
    [`${schedule}alpha`]: COSINE.alpha,
  };
}

/** Ten to twenty seconds each on an idle machine. */
const TIMEOUT_MS = 600_000;

type Case = (typeof CASES)[number] | typeof EXTRAS_CASE;

const METHODS = ['A: cached features', 'B: end to end', 'C: last block unfrozen'];

describe('training curves against Keras on this machine, 20 steps', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-curves-'));
  let venv: KerasVenv;

  beforeAll(async () => {
    venv = await kerasVenv();
    writeTinyImages(join(folder, 'images'), { counts: { train: 18, validation: 6, test: 6 }, size: 48 });
  }, 600_000);

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it.for<Case>([...TRAINED_CASES, EXTRAS_CASE])(
    '$backbone, methods A, B and C',
    { timeout: TIMEOUT_MS },
    async (one, context) => {
      skipWithoutKeras(context, venv);
      const withExtras = 'withExtras' in one;
      const { backbone, size, pooling, rate, fineTuneRate } = one;
      const weights = join(folder, `${backbone}.safetensors`);
      writeFormulaWeights(weights, backbone, false, one.gain);
      const training = await GraftTraining.open({
        folder: join(folder, `${backbone}-${withExtras}`),
        root: join(folder, 'images'),
        backbone,
        weights,
      });
      const base: Parameters = {
        backbone,
        weights,
        image_size: size,
        batch_size: BATCH_SIZE,
        epochs: EPOCHS,
        'head.pooling': pooling,
        'head.units': 32,
        'head.dropout': 0,
        'optimizer.learning_rate': rate,
        seed: 3,
        data_seed: 7,
        ...(withExtras ? extraParameters('optimizer.', 'schedule.', 'schedule.name') : {}),
      };
      const cached = { ...base, method: 'cached' };
      const plain = { 'augmentation.flip': 'none', 'augmentation.rotation': 0, 'augmentation.zoom': 0 };
      const endToEnd = { ...base, method: 'augmented', ...plain };
      const fineTune = {
        ...cached,
        'fine_tune.enabled': true,
        'fine_tune.epochs': EPOCHS,
        'fine_tune.learning_rate': fineTuneRate,
        ...(withExtras ? extraParameters('fine_tune.', 'fine_tune.schedule_', 'fine_tune.schedule') : {}),
      };

      const a = await training.train('HEAD', cached, { everyStep: true });
      const b = await training.train('HEAD', endToEnd, { everyStep: true });
      const c = await training.train('FINE_TUNE', fineTune, { source: a.best, everyStep: true });
      const graft = [a, b, c];

      const initialHead = await training.writeInitialHead(cached);
      const weightsFile = join(folder, `${backbone}-fine-tuned.safetensors`);
      const common = { dropout: 0, augmentation: null, weightsFile: null, batches: training.batches(cached, EPOCHS) };
      const head = { ...common, headWeights: initialHead, unfreezeFrom: null };
      const optimizer = { name: 'rmsprop', ...(withExtras ? { ...EXTRAS, cosine: COSINE } : {}) };
      const phases: KerasPhase[] = [
        { ...head, method: 'cached', optimizer: { ...optimizer, learningRate: rate } },
        { ...head, method: 'end-to-end', optimizer: { ...optimizer, learningRate: rate } },
        {
          ...common,
          method: 'end-to-end',
          headWeights: training.artifacts.localPath(a.best.uri),
          unfreezeFrom: training.trainableFrom(fineTune),
          weightsFile,
          optimizer: { ...optimizer, learningRate: fineTuneRate },
        },
      ];
      const keras = await trainInKeras(venv.python, folder, {
        ...training.jobBase(cached, weights),
        isQuick: true,
        phases,
      });

      const errors = METHODS.map((method, index) => compareCurves(method, one, graft[index], keras[index]));
      for (const [index, { loss, accuracy }] of errors.entries()) {
        expect(loss, `loss, ${METHODS[index] ?? ''}`).toBeLessThan(LOSS_LIMIT);
        expect(accuracy, `accuracy, ${METHODS[index] ?? ''}`).toBeLessThan(1e-6);
      }
      await compareBases(one, {
        weights,
        checkpoint: training.artifacts.localPath(c.best.uri),
        parameters: fineTune,
        kerasWeights: weightsFile,
        kerasTrained: keras[2]?.trained ?? [],
      });
    },
  );
});

/**
 * Returns the largest relative error of the losses and the largest difference of the accuracies, over steps and
 * validations.
 */
function compareCurves(
  method: string,
  one: Case,
  graft: GraftCurve | undefined,
  keras: KerasCurve | undefined,
): { readonly loss: number; readonly accuracy: number } {
  if (graft === undefined || keras === undefined) throw new Error(`Method ${method} was not trained.`);
  expect([graft.steps.length, keras.steps.length]).toEqual([STEPS, STEPS]);
  expect([graft.epochs.length, keras.epochs.length]).toEqual([EPOCHS, EPOCHS]);
  // A constant curve would agree with anything that does not train.
  const losses = keras.steps.map(({ loss }) => loss);
  expect(Math.max(...losses) / Math.min(...losses)).toBeGreaterThan(1.01);
  const pairs = [...pairsOf(graft.steps, keras.steps), ...pairsOf(validationOf(graft), validationOf(keras))];
  const loss = Math.max(...pairs.map(([ours, theirs]) => Math.abs(ours.loss - theirs.loss) / theirs.loss));
  const accuracy = Math.max(...pairs.map(([ours, theirs]) => Math.abs(ours.accuracy - theirs.accuracy)));
  const figure = { point: '5 training curves', family: familyOf(one), size: one.size } as const;
  recordParity({ ...figure, check: `${method}, loss per step`, maxError: loss, limit: LOSS_LIMIT });
  recordParity({ ...figure, check: `${method}, accuracy`, maxError: round(accuracy), limit: 0 });
  return { loss, accuracy };
}

interface FineTuned {
  /** Initial weights of both sides. */
  readonly weights: string;
  readonly checkpoint: string;
  readonly parameters: Parameters;
  readonly kerasWeights: string;
  readonly kerasTrained: readonly string[];
}

/**
 * Asserts that every unfrozen tensor of the base changed as Keras' did, and that every other one is bit-identical to
 * before.
 */
async function compareBases(one: Case, tuned: FineTuned): Promise<void> {
  const { checkpoint, parameters, kerasTrained } = tuned;
  const start = (await readSafetensors(tuned.weights)).tensors;
  const keras = (await readSafetensors(tuned.kerasWeights)).tensors;
  const opened = await openCheckpoint({ checkpoint, parameters, classCount: 2, cacheDir: '' });
  const trained = opened.network.variables.filter(({ name }) => !name.startsWith('head/'));
  expect(trained.map(({ name }) => name)).toEqual(kerasTrained);
  const errors = trained.map((variable) => {
    const from = valuesOf(start, variable.name);
    const wanted = valuesOf(keras, variable.name);
    const got = variable.values();
    // A tensor that did not change has a relative error of 1 from Keras'; one that changed on neither side gives NaN.
    expect(rootMeanSquare(got, from)).toBeGreaterThan(0);
    return rootMeanSquare(got, wanted) / rootMeanSquare(wanted, from);
  });
  const maxError = Math.max(...errors);
  const check = `${METHODS[2] ?? ''}, moves of the base's tensors`;
  const { size } = one;
  recordParity({ point: '5 training curves', check, family: familyOf(one), size, maxError, limit: MOVE_LIMIT });
  expect(maxError).toBeLessThan(MOVE_LIMIT);
  const frozen = [...start.keys()].filter((name) => !kerasTrained.includes(name));
  expect(frozen.length).toBeGreaterThan(0);
  const changed = frozen.filter((name) => {
    const from = Buffer.from(valuesOf(start, name).buffer);
    const ours = Buffer.from(valuesOf(opened.parts.weights, name).buffer);
    return !from.equals(ours) || !from.equals(Buffer.from(valuesOf(keras, name).buffer));
  });
  expect(changed).toEqual([]);
  opened.network.dispose();
  opened.backbone.dispose();
}

function familyOf(one: Case): string {
  return 'withExtras' in one ? `${one.backbone}, warm-up, accumulated, averaged` : one.backbone;
}

function valuesOf(tensors: ReadonlyMap<string, { readonly values: Float32Array }>, name: string): Float32Array {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`There is no tensor ${name}.`);
  return tensor.values;
}

/** Returns the root mean square of the differences. */
function rootMeanSquare(a: Float32Array, b: Float32Array): number {
  const sum = a.reduce((total, value, index) => total + (value - (b[index] ?? NaN)) ** 2, 0);
  return Math.sqrt(sum / a.length);
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
