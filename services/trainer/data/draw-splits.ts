import { SPLITS } from '../../core/dataset.ts';
import type { Split } from '../../core/dataset.ts';
import { createStream } from '../../core/rng/stream.ts';
import { splitBounds } from '../../core/split-bounds.ts';
import type { SplitFractions } from '../../core/sweep/sweep-spec.ts';

export interface DrawnFile {
  readonly className: string;
  readonly sha256: string;
}

/**
 * Draws each file's split class by class, so that every split has the same class proportions. Files with identical
 * contents get the same split. The draw depends on the seed, the class and the files' contents, not on their names.
 *
 * @returns the splits, in the order of the files.
 */
export function drawSplits(files: readonly DrawnFile[], fractions: SplitFractions): readonly Split[] {
  const splits = new Map<string, Split>();
  for (const className of new Set(files.map((file) => file.className))) {
    const contents = [
      ...new Set(files.filter((file) => file.className === className).map(({ sha256 }) => sha256)),
    ].sort();
    const order = createStream(fractions.seed, 'split', className).permutation(contents.length);
    const bounds = splitBounds(contents.length, fractions);
    for (const [position, index] of order.entries()) {
      const content = contents[index] ?? '';
      // If two classes contain the same picture, the first class decides.
      if (!splits.has(content)) splits.set(content, splitAt(bounds, position));
    }
  }
  return files.map(({ sha256 }) => splits.get(sha256) ?? 'train');
}

function splitAt([trainEnd, validationEnd]: readonly [number, number], position: number): Split {
  const [train, validation, test] = SPLITS;
  if (position < trainEnd) return train;
  return position < validationEnd ? validation : test;
}
