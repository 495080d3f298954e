import type { ManifestImage, Split } from '../../core/dataset.ts';
import { groupByKey } from '../../core/group-by-key.ts';
import { createStream } from '../../core/rng/stream.ts';
import type { IndexedDataset } from './manifest.ts';

/** Numbers of images that a probe draws. */
export interface ProbeCounts {
  readonly trainImageCount: number;
  readonly validationImageCount: number;
}

/**
 * Draws the images of a probe: of each class the same part, at least one while the number allows it. They follow from the digest of
 * the data set, so that all probes of a sweep have the same images, on any trainer. Test images are never drawn.
 *
 * @returns training images first, each split in the order of the manifest.
 */
export function drawProbeImages(
  { dataset, images }: IndexedDataset,
  { trainImageCount, validationImageCount }: ProbeCounts,
): readonly ManifestImage[] {
  const draw = (split: Split, count: number): readonly ManifestImage[] => {
    const candidates = images.filter((image) => image.split === split);
    const chosen = new Set(drawOfSplit(candidates, count, dataset.digest, split));
    return candidates.filter((image) => chosen.has(image));
  };
  return [...draw('train', trainImageCount), ...draw('validation', validationImageCount)];
}

function drawOfSplit(
  candidates: readonly ManifestImage[],
  count: number,
  digest: string,
  split: Split,
): readonly ManifestImage[] {
  const classes = [...groupByKey(candidates, ({ label }) => label)].sort(([a], [b]) => a - b);
  const shares = shareOut(
    classes.map(([, members]) => members.length),
    Math.min(count, candidates.length),
  );
  return classes.flatMap(([label, members], place) => {
    const order = createStream(digest, 'probe', split, label).permutation(members.length);
    return Array.from(order.subarray(0, shares[place] ?? 0)).flatMap((index) => members[index] ?? []);
  });
}

/**
 * Divides a number in proportion to sizes, which it doesn't exceed: whole parts first, of which none is 0 if there are enough, then
 * one each by the largest remainders.
 */
function shareOut(sizes: readonly number[], count: number): readonly number[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const exact = sizes.map((size) => (total === 0 ? 0 : (count * size) / total));
  const fewest = count >= sizes.length ? 1 : 0;
  const shares = exact.map((share, index) => Math.min(sizes[index] ?? 0, Math.max(fewest, Math.floor(share))));
  const byRemainder = [...shares.keys()].sort(
    (a, b) => remainder(exact, shares, b) - remainder(exact, shares, a) || a - b,
  );
  let left = count - shares.reduce((sum, share) => sum + share, 0);
  for (const step of [1, -1]) {
    const order = step === 1 ? byRemainder : byRemainder.toReversed();
    while (left * step > 0) {
      const place = order.find((index) => mayChange(shares[index] ?? 0, sizes[index] ?? 0, fewest, step));
      if (place === undefined) break;
      shares[place] = (shares[place] ?? 0) + step;
      left -= step;
      order.push(...order.splice(order.indexOf(place), 1));
    }
  }
  return shares;
}

function remainder(exact: readonly number[], shares: readonly number[], index: number): number {
  return (exact[index] ?? 0) - (shares[index] ?? 0);
}

function mayChange(share: number, size: number, fewest: number, step: number): boolean {
  return step === 1 ? share < size : share > fewest;
}

/** Folds of images, each class spread evenly over all folds. */
export function stratifiedFolds(labels: ArrayLike<number>, foldCount: number, digest: string): Int32Array {
  const folds = new Int32Array(labels.length);
  const classes = [...groupByKey(Array.from(labels).keys(), (index) => labels[index] ?? 0)].sort(([a], [b]) => a - b);
  // A class continues where the one before it ended, so that folds have equal sizes.
  let dealt = 0;
  for (const [label, members] of classes) {
    for (const place of createStream(digest, 'probe folds', label).permutation(members.length)) {
      const index = members[place];
      if (index !== undefined) folds[index] = dealt++ % foldCount;
    }
  }
  return folds;
}
