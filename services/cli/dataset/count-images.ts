import { opendir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SPLITS } from '../../core/dataset.ts';
import type { Split } from '../../core/dataset.ts';
import { fileKind } from '../../core/file-kind.ts';
import { isLeftover } from '../../core/leftovers.ts';
import type { CountedImages } from '../../core/records/plan.ts';
import { splitBounds } from '../../core/split-bounds.ts';
import type { DatasetSource } from '../../core/sweep/sweep-spec.ts';

/** Time after which the count stops. A local disk lists about a million names within it. */
const LIMIT_MS = 3_000;

/** Images of a folder, counted by the names of its files. */
export interface FolderCount {
  readonly counted: CountedImages;
  /** false: the time was up; the numbers are extrapolated from the class folders that were counted. */
  readonly isComplete: boolean;
}

/** Reason for which there is no count: time, or a folder that has no images in some split or can't be listed. */
export type NotCounted = 'TOO_SLOW' | 'NO_IMAGES';

/**
 * Counts the images that INDEX would find in a folder on this machine: files with an image's extension in
 * `<split>/<class>/…`, or in `<class>/…` with split fractions. It opens no file, so that duplicates and broken images count, too.
 *
 * @param isLate returns whether to stop; default: after 3 s.
 * @returns the reason if there is no count: the time was up before a class of each split was counted, or the folder has no images.
 */
export async function countImages(source: DatasetSource, isLate = after(LIMIT_MS)): Promise<FolderCount | NotCounted> {
  try {
    return await (source.splitFractions === null ? countSplits(source.path, isLate) : countFlat(source, isLate));
  } catch {
    return 'NO_IMAGES';
  }
}

function after(milliseconds: number): () => boolean {
  const deadline = performance.now() + milliseconds;
  return () => performance.now() > deadline;
}

async function countSplits(root: string, isLate: () => boolean): Promise<FolderCount | NotCounted> {
  const classes = new Map<Split, readonly string[]>();
  for (const split of SPLITS) classes.set(split, await classFolders(join(root, split)));
  const folders = SPLITS.flatMap((split) => (classes.get(split) ?? []).map((name) => ({ split, name })));
  // One class after the other, so that a stopped count has seen a part of each split.
  folders.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const counter = new FolderCounter(isLate);
  const counts = await counter.countAll(folders.map(({ split, name }) => join(root, split, name)));
  const of = (wanted: Split): number =>
    extrapolate(counts.flatMap((count, index) => (folders[index]?.split === wanted ? [count] : [])));
  const classCount = new Set(folders.map(({ name }) => name.normalize('NFC'))).size;
  return resultOf([of('train'), of('validation'), of('test')], classCount, counter.isComplete);
}

async function countFlat(
  { path, splitFractions }: DatasetSource,
  isLate: () => boolean,
): Promise<FolderCount | NotCounted> {
  if (splitFractions === null) return 'NO_IMAGES';
  const names = await classFolders(path);
  const counter = new FolderCounter(isLate);
  const counts = await counter.countAll(names.map((name) => join(path, name)));
  const mean = extrapolate(counts) / Math.max(1, counts.length);
  const images: [number, number, number] = [0, 0, 0];
  for (const count of counts) {
    const total = count ?? Math.round(mean);
    const [trainEnd, validationEnd] = splitBounds(total, splitFractions);
    images[0] += trainEnd;
    images[1] += validationEnd - trainEnd;
    images[2] += total - validationEnd;
  }
  return resultOf(images, names.length, counter.isComplete);
}

function resultOf(
  [trainImageCount, validationImageCount, testImageCount]: readonly [number, number, number],
  classCount: number,
  isComplete: boolean,
): FolderCount | NotCounted {
  if (Math.min(trainImageCount, validationImageCount, testImageCount) < 1 || classCount < 2) {
    return isComplete ? 'NO_IMAGES' : 'TOO_SLOW';
  }
  return { counted: { trainImageCount, validationImageCount, testImageCount, classCount }, isComplete };
}

/** Returns the sum of the counts; null stands for a folder that was not reached, which gets their mean. */
function extrapolate(counts: readonly (number | null)[]): number {
  const known = counts.filter((count) => count !== null);
  const sum = known.reduce((total, count) => total + count, 0);
  return known.length === 0 ? 0 : Math.round((sum / known.length) * counts.length);
}

async function classFolders(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .filter((name) => !isLeftover(name));
}

/** Counts image names below folders until the time is up. */
class FolderCounter {
  readonly #isTimeUp: () => boolean;
  #isLate = false;

  constructor(isLate: () => boolean) {
    this.#isTimeUp = isLate;
  }

  get isComplete(): boolean {
    return !this.#isLate;
  }

  /** Returns a count for each folder; null for those that it did not reach. */
  async countAll(folders: readonly string[]): Promise<readonly (number | null)[]> {
    const counts: (number | null)[] = [];
    for (const folder of folders) counts.push(this.#isLate ? null : await this.#countBelow(folder));
    return counts;
  }

  async #countBelow(folder: string): Promise<number> {
    let count = 0;
    const open = [folder];
    for (let current = open.pop(); current !== undefined; current = open.pop()) {
      for await (const entry of await opendir(current, { bufferSize: 1_024 })) {
        if (isLeftover(entry.name)) continue;
        if (entry.isDirectory()) open.push(join(current, entry.name));
        else if (fileKind(entry.name) === 'image') count += 1;
        this.#isLate ||= this.#isTimeUp();
        if (this.#isLate) return count;
      }
    }
    return count;
  }
}
