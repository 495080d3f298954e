import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { DEFAULT_BACKBONE } from '../../services/core/network/backbones.ts';
import { compileRunConfig } from '../../services/core/search-space/compile.ts';
import type { Parameters } from '../../services/core/sweep/sweep-spec.ts';
import type { CheckpointRef } from '../../services/core/task.ts';
import { resolvePaths } from '../../services/platform/paths.ts';
import { backboneDefinition } from '../../services/core/network/backbones.ts';
import { findWeightFile } from '../../services/trainer/backbones/weight-file.ts';
import { kerasVenv } from '../parity/keras-venv.ts';
import { GraftTraining } from '../parity/training-curves-graft.ts';
import type { GraftCurve } from '../parity/training-curves-graft.ts';
import { trainInKeras } from '../parity/training-curves-keras.ts';
import type { KerasCurve, KerasPhase, TestCount } from '../parity/training-curves-keras.ts';
import { compareCurves, renderComparison } from './side-by-side-report.ts';
import type { Comparison } from './side-by-side-report.ts';
import { runScript, temporaryFolder } from '../support/run-script.ts';

const HELP = `Trains methods A, B and C in Graft and in Keras from the same weights on the same photographs.

  npm run bench:keras -- --data DIR [--epochs 4] [--augmented-epochs 2] [--fine-tune-epochs 2] [--size 180]

DIR has train, validation and test, with two class folders each. The exit code is 1 when the two disagree.
`;

interface Settings {
  readonly data: string;
  readonly size: number;
  readonly epochs: number;
  readonly augmentedEpochs: number;
  readonly fineTuneEpochs: number;
}

interface Method {
  readonly title: string;
  readonly parameters: Parameters;
  readonly stage: 'HEAD' | 'FINE_TUNE';
  readonly epochs: number;
  /** true if nothing is random on either side: the curves must be equal. */
  readonly isExact: boolean;
}

const NO_AUGMENTATION = { 'augmentation.flip': 'none', 'augmentation.rotation': 0, 'augmentation.zoom': 0 };

/**
 * Returns the methods. C is last, because Keras then changes its base, and directly after the A whose best head it
 * continues from.
 */
function methodsOf({ size, epochs, augmentedEpochs, fineTuneEpochs }: Settings): readonly Method[] {
  const base: Parameters = { backbone: DEFAULT_BACKBONE, image_size: size, seed: 1, data_seed: 1 };
  const plain = { ...base, epochs, 'head.dropout': 0 };
  const stage = 'HEAD';
  return [
    {
      title: 'B: end to end, without augmentation and dropout',
      parameters: { ...plain, method: 'augmented', ...NO_AUGMENTATION, epochs: augmentedEpochs },
      stage,
      epochs: augmentedEpochs,
      isExact: true,
    },
    {
      title: 'B: end to end, augmented, dropout 0.5',
      parameters: { ...base, method: 'augmented', epochs: augmentedEpochs },
      stage,
      epochs: augmentedEpochs,
      isExact: false,
    },
    {
      title: 'A: cached features, dropout 0.5',
      parameters: { ...base, method: 'cached', epochs },
      stage,
      epochs,
      isExact: false,
    },
    {
      title: 'A: cached features, without dropout',
      parameters: { ...plain, method: 'cached' },
      stage,
      epochs,
      isExact: true,
    },
    {
      title: 'C: last block unfrozen, from the best head of A without dropout',
      parameters: {
        ...plain,
        method: 'cached',
        'fine_tune.enabled': true,
        'fine_tune.unfreeze': 'last_block',
        'fine_tune.epochs': fineTuneEpochs,
      },
      stage: 'FINE_TUNE',
      epochs: fineTuneEpochs,
      isExact: false,
    },
  ];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      size: { type: 'string', default: '180' },
      epochs: { type: 'string', default: '4' },
      'augmented-epochs': { type: 'string', default: '2' },
      'fine-tune-epochs': { type: 'string', default: '2' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || values.data === undefined) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  const settings: Settings = {
    data: resolve(values.data),
    size: Number(values.size),
    epochs: Number(values.epochs),
    augmentedEpochs: Number(values['augmented-epochs']),
    fineTuneEpochs: Number(values['fine-tune-epochs']),
  };
  const venv = await kerasVenv();
  if ('reason' in venv) {
    process.stderr.write(`Keras can't be installed here, so there is nothing to compare with: ${venv.reason}\n`);
    return 1;
  }
  const folder = temporaryFolder('graft-bench-');
  try {
    const comparisons = await compare(settings, venv.python, folder);
    process.stdout.write(comparisons.map(renderComparison).join('\n'));
    const disagreeing = comparisons.filter(({ agrees }) => !agrees).map(({ title }) => title);
    process.stdout.write(
      disagreeing.length === 0
        ? '\nGraft and Keras agree in every method.\n'
        : `\nGraft and Keras DISAGREE in: ${disagreeing.join('; ')}\n`,
    );
    return disagreeing.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(settings: Settings, python: string, folder: string): Promise<readonly Comparison[]> {
  const { cacheDir } = resolvePaths(process.env);
  const weightsPath = await findWeightFile(backboneDefinition(DEFAULT_BACKBONE), 'imagenet', { cacheDir });
  const options = { folder, root: settings.data, backbone: DEFAULT_BACKBONE, weights: 'imagenet', cacheDir };
  const training = await GraftTraining.open(options);
  const methods = methodsOf(settings);
  const [first] = methods;
  if (first === undefined) throw new Error('unreachable: there are methods');

  const startMs = performance.now();
  const graft = await trainInGraft(training, methods);
  const graftSeconds = (performance.now() - startMs) / 1000;
  const headWeights = await training.writeInitialHead(first.parameters);
  const phases = methods.map((method) => phaseOf(training, method, headWeights));
  const kerasStartMs = performance.now();
  const job = { ...training.jobBase(first.parameters, weightsPath), isQuick: false, phases };
  const keras = await trainInKeras(python, folder, job);
  const kerasSeconds = (performance.now() - kerasStartMs) / 1000;

  process.stdout.write(
    `${DEFAULT_BACKBONE} at ${settings.size} pixels, ${training.images.length} photographs of ${settings.data}.\n` +
      `Graft took ${graftSeconds.toFixed(0)} s for everything, Keras ${kerasSeconds.toFixed(0)} s (start included).\n\n`,
  );
  return methods.map((method, index) => comparisonOf(method, graft[index], keras[index]));
}

interface TestedCurve extends GraftCurve {
  readonly test: TestCount;
}

async function trainInGraft(training: GraftTraining, methods: readonly Method[]): Promise<readonly TestedCurve[]> {
  const curves: TestedCurve[] = [];
  for (const { title, stage, parameters } of methods) {
    process.stderr.write(`Graft, ${title}\n`);
    const source: CheckpointRef | null = stage === 'FINE_TUNE' ? (curves.at(-1)?.best ?? null) : null;
    const curve = await training.train(stage, parameters, { source, everyStep: false });
    curves.push({ ...curve, test: await training.test(parameters, curve.best) });
  }
  process.stderr.write('Keras, all of them\n');
  return curves;
}

function phaseOf(training: GraftTraining, { stage, parameters, epochs }: Method, headWeights: string): KerasPhase {
  const { method, augmentation, head, optimizer, fineTune } = compileRunConfig(parameters);
  const isFineTuned = stage === 'FINE_TUNE';
  const { name, learningRate } = isFineTuned && fineTune !== null ? fineTune.optimizer : optimizer;
  return {
    method: isFineTuned || method === 'augmented' ? 'end-to-end' : 'cached',
    headWeights: isFineTuned ? null : headWeights,
    unfreezeFrom: isFineTuned ? training.trainableFrom(parameters) : null,
    weightsFile: null,
    dropout: head.dropout,
    augmentation: augmentation === null || augmentation.flip === 'none' ? null : augmentation,
    optimizer: { name, learningRate },
    batches: training.batches(parameters, epochs),
  };
}

function comparisonOf(
  { title, isExact }: Method,
  graft: TestedCurve | undefined,
  keras: KerasCurve | undefined,
): Comparison {
  if (graft === undefined || keras === undefined) throw new Error(`${title} was not trained.`);
  if (keras.test === null) throw new Error(`Keras did not evaluate ${title}.`);
  const epochs = graft.epochs.map((ours, index) => {
    const theirs = keras.epochs[index];
    if (theirs === undefined) throw new Error(`Keras has no epoch ${index + 1} of ${title}.`);
    return { graft: ours, keras: theirs };
  });
  return compareCurves({ title, isExact, epochs, graftTest: graft.test, kerasTest: keras.test });
}

await runScript(main);
