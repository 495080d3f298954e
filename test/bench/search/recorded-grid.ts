import { join } from 'node:path';
import { resolvePaths } from '../../../services/platform/paths.ts';

/** A grid of Graft's own, trained to its end with the outcome of each validation image. Evidence is base64: bits and float32 losses. */
export interface RecordedGrid {
  readonly version: number;
  readonly createTime: string;
  readonly machine: string;
  readonly dataset: string;
  readonly validationImages: number;
  readonly runs: readonly RecordedRun[];
  readonly shared: readonly RecordedShared[];
  /** Seconds of a fine-tuning task beside its epochs. */
  readonly taskSeconds: number;
}

export interface RecordedRun {
  readonly backbone: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly testAccuracy: number | null;
  /** The head's best epoch. */
  readonly head: RecordedEpoch;
  /** One element for each epoch. */
  readonly fineTune: readonly RecordedEpoch[] | null;
  /** Seconds of each epoch of fine-tuning. */
  readonly epochSeconds: number;
}

/** Evidence of an epoch; null where no rung has it: the last epoch of fine-tuning, if it was not the best one. */
export interface RecordedEpoch {
  readonly correct: string | null;
  readonly losses: string | null;
}

export interface RecordedShared {
  readonly stage: 'FEATURES' | 'HEAD';
  readonly seconds: number;
  readonly runs: readonly number[];
  readonly after: number | null;
}

export const GRID_VERSION = 1;

/** Returns the file of the recorded grid: `GRAFT_SEARCH_WORLD`, or one in the cache folder. It is no part of the repository. */
export function gridPath(): string {
  const named = process.env['GRAFT_SEARCH_WORLD'];
  return named === undefined || named === '' ? join(resolvePaths(process.env).cacheDir, 'search-world.json') : named;
}

export const GRID = {
  data: new URL('../../../../shared/data/cats-dogs-800', import.meta.url).pathname,
  /** Small, so that the grid takes minutes of two cores. */
  imageSize: 96,
  headEpochs: 15,
  fineTuneEpochs: 10,
  /** The lightest base, which is fine-tuned as well. */
  fineTuned: 'efficientnet_lite0',
  others: ['efficientnet_lite1', 'efficientnet_lite2'],
} as const;

const LEARNING_RATES = [3e-4, 1e-3, 3e-3, 1e-2];
const DROPOUTS = [0.2, 0.5];
/** The default and above. */
const FINE_TUNE_LEARNING_RATES = [1e-5, 3e-5, 1e-4];

/**
 * Returns the sweep file of the grid: 16 heads on the lightest base, each with 3 fine-tunes, and 24 heads on each of two heavier
 * bases: 64 heads and 48 fine-tunes. Its rule stops nothing; it is there so that each epoch of fine-tuning is a rung.
 */
export function gridSweep(stopping: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const heads = (backbone: string, units: readonly number[]): Record<string, unknown>[] =>
    units.flatMap((count) =>
      DROPOUTS.flatMap((dropout) =>
        LEARNING_RATES.map((rate) => ({
          backbone,
          'head.units': count,
          'head.dropout': dropout,
          'optimizer.learning_rate': rate,
        })),
      ),
    );
  const fineTuned = heads(GRID.fineTuned, [0, 128]).flatMap((head) =>
    FINE_TUNE_LEARNING_RATES.map((rate) => ({
      ...head,
      'fine_tune.enabled': true,
      'fine_tune.epochs': GRID.fineTuneEpochs,
      'fine_tune.unfreeze': 'block6',
      'fine_tune.learning_rate': rate,
    })),
  );
  return {
    display_name: 'search world',
    dataset: { path: GRID.data },
    base: { image_size: GRID.imageSize, method: 'cached', epochs: GRID.headEpochs, 'head.activation': 'relu' },
    strategy: 'list',
    variants: [...fineTuned, ...GRID.others.flatMap((backbone) => heads(backbone, [0, 128, 256]))],
    objective: { metric: 'val_accuracy' },
    stopping,
    seed: 1,
  };
}

/** Makes each epoch of fine-tuning a rung, and stops nothing. */
export const RECORD_ALL = {
  rule: 'threshold',
  threshold: { worse_than: 0 },
  rungs: { head: [], fine_tune: Array.from({ length: GRID.fineTuneEpochs - 1 }, (_, index) => index + 1) },
} as const;
