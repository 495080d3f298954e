import type { DatasetSource, ParameterSpec, ParameterValue, SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { STOPPING_DEFAULTS } from '../../core/sweep/search-spec.ts';
import { spreadBases } from './auto-bases.ts';

/** Size of a search. */
export interface AutoScale {
  /** Number of bases. */
  readonly bases: number;
  readonly imageSize: number;
  /** Number of heads; a third of them, and one, is fine-tuned. */
  readonly runs: number;
  /** Epochs of fine-tuning; 0: none. */
  readonly fineTuneEpochs: number;
}

export const SMALLEST_SCALE: AutoScale = { bases: 1, imageSize: 128, runs: 8, fineTuneEpochs: 0 };

/**
 * Sizes from the largest search to the smallest, each taking longer than the next. The largest one whose forecast fits into the time is run.
 * Time goes into the size of the images before further bases: these were trained at 224 pixels and more.
 */
export const AUTO_SCALES: readonly AutoScale[] = [
  { bases: 4, imageSize: 224, runs: 64, fineTuneEpochs: 9 },
  { bases: 3, imageSize: 224, runs: 48, fineTuneEpochs: 6 },
  { bases: 3, imageSize: 224, runs: 32, fineTuneEpochs: 4 },
  { bases: 2, imageSize: 224, runs: 24, fineTuneEpochs: 4 },
  { bases: 2, imageSize: 224, runs: 16, fineTuneEpochs: 3 },
  { bases: 1, imageSize: 224, runs: 16, fineTuneEpochs: 3 },
  { bases: 1, imageSize: 192, runs: 16, fineTuneEpochs: 3 },
  { bases: 1, imageSize: 192, runs: 12, fineTuneEpochs: 0 },
  SMALLEST_SCALE,
];

const HEAD_EPOCHS = 30;
/** Epochs without a better validation loss that end a stage. */
const PATIENCE = 5;
/** Part of the time after which no further work begins: the test, the report and the export follow. */
const SEARCH_PART = 0.8;

export interface AutoRequest {
  readonly displayName: string;
  readonly dataset: DatasetSource;
  readonly bases: readonly string[];
  readonly minutes: number;
}

/**
 * Returns the sweep of a search of some size: heads on cached features of each base, the best of which are promoted to fine-tuning of the
 * last block. The objective is the loss: on a few hundred images it tells runs apart that have the same accuracy.
 */
export function autoSpec({ displayName, dataset, bases, minutes }: AutoRequest, scale: AutoScale): SweepSpec {
  const { imageSize, fineTuneEpochs } = scale;
  const chosen = spreadBases(bases, scale.bases);
  const [first = ''] = chosen;
  const tunes = fineTuneEpochs > 0;
  return {
    displayName,
    dataset,
    base: {
      ...(chosen.length > 1 ? {} : { backbone: first }),
      weights: 'imagenet',
      image_size: imageSize,
      epochs: HEAD_EPOCHS,
      'early_stopping.patience': PATIENCE,
      'optimizer.name': 'adam',
      ...(tunes
        ? { 'fine_tune.enabled': true, 'fine_tune.epochs': fineTuneEpochs, 'fine_tune.optimizer': 'adam' }
        : {}),
    },
    parameters: [
      ...(chosen.length > 1 ? [values('backbone', chosen)] : []),
      values('head.units', [0, 64, 256]),
      values('head.dropout', [0.2, 0.5]),
      rate('optimizer.learning_rate', 3e-4, 3e-2),
      ...(tunes ? [rate('fine_tune.learning_rate', 1e-5, 1e-3)] : []),
    ],
    variants: [],
    maxRuns: scale.runs,
    seed: 1,
    objective: { metric: 'val_loss', goal: 'minimize' },
    testPolicy: 'winner',
    ...searchOf(tunes, minutes),
  };
}

/** Returns how runs are chosen and compared: the one place to change for a better strategy. */
function searchOf(tunes: boolean, minutes: number): Pick<SweepSpec, 'strategy' | 'stopping' | 'budget'> {
  return {
    strategy: 'sobol',
    ...(tunes ? { stopping: { ...STOPPING_DEFAULTS, rule: 'promotion' } } : {}),
    budget: { slotSeconds: null, wallSeconds: Math.round(60 * minutes * SEARCH_PART), target: null },
  };
}

function values(name: string, list: readonly ParameterValue[]): ParameterSpec {
  return { name, domain: { kind: 'values', values: list }, conditions: [] };
}

function rate(name: string, min: number, max: number): ParameterSpec {
  return { name, domain: { kind: 'range', min, max, scale: 'log', gridPoints: null, step: null }, conditions: [] };
}
