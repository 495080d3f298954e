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
  /** Accuracy of its best epoch on the test images. */
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

/** Returns the file of a recorded grid, in the folder `GRAFT_SEARCH_WORLDS` or in the cache folder. It is no part of the repository. */
export function gridPath(name: string): string {
  const named = process.env['GRAFT_SEARCH_WORLDS'];
  const folder = named === undefined || named === '' ? resolvePaths(process.env).cacheDir : named;
  return join(folder, `search-world-${name}.json`);
}
