import { statSync } from 'node:fs';
import { join } from 'node:path';
import { SPLITS } from '../../core/dataset.ts';
import type { DatasetSource } from '../../core/sweep/sweep-spec.ts';

/** Parts of the images of a folder that has no splits. */
const FRACTIONS = { train: 0.7, validation: 0.15, test: 0.15, seed: 0 };

/**
 * Returns how the images of a folder are read: as `<split>/<class>/<image>` where it has a folder of any split, else as
 * `<class>/<image>`, of which splits are drawn. Broken files are left out, as the check lists them.
 */
export function readSource(path: string): DatasetSource {
  const hasSplits = SPLITS.some((split) => isFolder(join(path, split)));
  return { path, splitFractions: hasSplits ? null : FRACTIONS, allowDuplicates: false, skipBadFiles: true };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
