import { resolve } from 'node:path';
import { countProblems, SPLITS } from '../../core/dataset.ts';
import type { ClassCount, Dataset, DatasetProblem, ManifestImage, Split } from '../../core/dataset.ts';
import type { DatasetSource } from '../../core/sweep/sweep-spec.ts';
import { countOf } from '../../core/text/count-of.ts';
import type { ProgressListener } from '../engine/progress.ts';
import { requireInside } from './data-root.ts';
import { readLayout } from './dataset-layout.ts';
import type { DatasetLayout, ImageFile } from './dataset-layout.ts';
import { drawSplits } from './draw-splits.ts';
import { blankProblems, boundProblems, fileProblems } from './dataset-problems.ts';
import { findDuplicates } from './exact-duplicates.ts';
import { checkFiles } from './check-cache.ts';
import type { FileCheck } from './check-file.ts';
import { manifestDigest } from './manifest.ts';
import { findNearDuplicates, nearDuplicateProblems } from './near-duplicates.ts';
import type { IndexedDataset } from './manifest.ts';

export interface IndexOptions {
  readonly source: DatasetSource;
  readonly cacheDir: string;
  /** Folder that must contain the images, with all links resolved; unrestricted if null or undefined. */
  readonly dataRoot?: string | null;
  readonly onProgress?: ProgressListener;
}

/** Thrown for a data set that can't be trained on; `problems` lists all findings, including harmless ones. */
export class DatasetInvalidError extends Error {
  override readonly name = 'DatasetInvalidError';
  readonly path: string;
  readonly problems: readonly DatasetProblem[];

  constructor(path: string, problems: readonly DatasetProblem[]) {
    const fatal = problems.filter((problem) => problem.fatal);
    const total = countProblems(fatal);
    const count = total === 1 ? 'one problem' : `${total} problems`;
    const lines = fatal.slice(0, SHOWN_PROBLEMS).map(({ code, message }) => `  ${code}: ${message}`);
    if (total > lines.length) lines.push(`  … and ${total - lines.length} more`);
    super(`Data set ${path} has ${count}:\n${lines.join('\n')}`);
    this.path = path;
    this.problems = problems;
  }
}

const SHOWN_PROBLEMS = 20;

/**
 * Indexes a data set's folder: finds the images of `<split>/<class>/…`, or `<class>/…` with split fractions, hashes and
 * decodes each, and identifies the content by a digest. All problems are reported at once.
 *
 * @throws {DatasetInvalidError} when at least one problem is fatal; {PathOutsideError} when the path leads out of the
 * data root.
 */
export async function indexDataset(options: IndexOptions): Promise<IndexedDataset> {
  const { source, cacheDir, dataRoot = null, onProgress } = options;
  const root = resolve(source.path);
  await requireInside(dataRoot, root, 'dataset.path');
  const layout = await readLayout({ ...source, path: root }, dataRoot);
  const paths = layout.files.map(({ path }) => path);
  const checks = await checkFiles({ root, paths, cacheDir, ...(onProgress ? { onProgress } : {}) });
  const found = [...layout.problems, ...fileProblems(checks, source.skipBadFiles)];
  const images = manifestImages(layout, checks, source);
  found.push(...classProblems(layout, images, found, source), ...blankProblems(images, checks));
  found.push(...findDuplicates(images, source.allowDuplicates));
  found.push(
    ...nearDuplicateProblems(findNearDuplicates(images, fingerprintsOf(checks)), {
      isStrict: source.strict ?? false,
      isAllowed: source.allowDuplicates,
    }),
  );
  const problems = boundProblems(found);
  if (problems.some(({ fatal }) => fatal)) throw new DatasetInvalidError(root, problems);
  return { dataset: describe(root, layout.classNames, images, problems), images };
}

function manifestImages(
  layout: DatasetLayout,
  checks: ReadonlyMap<string, FileCheck>,
  source: DatasetSource,
): readonly ManifestImage[] {
  const good = layout.files.flatMap((file) => {
    const check = checks.get(file.path);
    return check?.problem === null ? [{ ...file, sha256: check.sha256, sizeBytes: check.sizeBytes }] : [];
  });
  const drawn = source.splitFractions === null ? null : drawSplits(good, source.splitFractions);
  const images = good.map(({ path, className, split, sha256, sizeBytes }, index) => ({
    path,
    split: drawn?.[index] ?? split ?? 'train',
    label: layout.classNames.indexOf(className),
    sha256,
    sizeBytes,
  }));
  // Keep the layout's order within each split.
  return SPLITS.flatMap((split) => images.filter((image) => image.split === split));
}

function fingerprintsOf(checks: ReadonlyMap<string, FileCheck>): ReadonlyMap<string, string> {
  return new Map([...checks].flatMap(([path, { fingerprint }]) => (fingerprint === null ? [] : [[path, fingerprint]])));
}

/** Reports classes that have files but no usable image in some split. */
function classProblems(
  layout: DatasetLayout,
  images: readonly ManifestImage[],
  known: readonly DatasetProblem[],
  source: DatasetSource,
): readonly DatasetProblem[] {
  const problems: DatasetProblem[] = [];
  for (const [label, className] of layout.classNames.entries()) {
    const files = layout.files.filter((file) => file.className === className);
    for (const split of expectedSplits(files, source)) {
      if (images.some((image) => image.split === split && image.label === label)) continue;
      const path = files.some((file) => file.split === split) ? `${split}/${className}` : className;
      if (known.some((problem) => problem.fatal && problem.path === path)) continue;
      const count = files.filter((file) => file.split === null || file.split === split).length;
      const message = `Split "${split}" has no usable image of class "${className}" (out of ${countOf(count, 'file')}).`;
      problems.push({ code: 'TOO_FEW_IMAGES', path, message, fatal: true });
    }
  }
  return problems;
}

/** Returns the splits that must contain a class. Empty classes and missing splits are reported by the layout. */
function expectedSplits(files: readonly ImageFile[], { splitFractions }: DatasetSource): readonly Split[] {
  if (splitFractions === null) return SPLITS.filter((split) => files.some((file) => file.split === split));
  return files.length === 0 ? [] : SPLITS.filter((split) => splitFractions[split] > 0);
}

function describe(
  path: string,
  classNames: readonly string[],
  images: readonly ManifestImage[],
  problems: readonly DatasetProblem[],
): Dataset {
  const digest = manifestDigest(classNames, images);
  const classCounts: ClassCount[] = SPLITS.flatMap((split) =>
    classNames.map((className, label) => ({
      split,
      className,
      imageCount: images.filter((image) => image.split === split && image.label === label).length,
    })),
  );
  return { datasetId: `d${digest.slice(0, 16)}`, path, digest, classNames, classCounts, problems };
}
