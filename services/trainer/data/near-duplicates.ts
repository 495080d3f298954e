import type { DatasetProblem, ManifestImage } from '../../core/dataset.ts';
import { countOf } from '../../core/text/count-of.ts';
import { contrastOf, decodeFingerprint, differenceHash, hammingDistance, meanDifference } from './fingerprint.ts';
import type { DifferenceHash, Fingerprint } from './fingerprint.ts';

/** Maximum Hamming distance of two difference hashes, of 64 bits. */
const MAX_DISTANCE = 7;
/** Maximum mean difference of the cells' luma, of 255. */
const MAX_MEAN_DIFFERENCE = 10;
/** Minimum contrast: a picture below it has no features to compare, since an empty sky resembles any other. */
const MIN_CONTRAST = 16;
/** Maximum number of listed pairs; further ones are only counted. */
const MAX_LISTED = 100;

interface Candidate {
  readonly image: ManifestImage;
  readonly fingerprint: Fingerprint;
  readonly hash: DifferenceHash;
}

/** Two similar images in different splits. */
export interface NearDuplicate {
  readonly first: ManifestImage;
  readonly second: ManifestImage;
}

/**
 * Finds images of two splits that show the same picture in another format, quality or size; exact duplicates are
 * excluded. Both the difference hash and the luma of 72 cells must match. Cropped and mirrored pictures are not found.
 *
 * Hashes are indexed by their four parts of 16 bits. Of seven differing bits at least one part has at most one, so each
 * part is looked up unchanged and with each bit flipped. 100,000 images need some ten million comparisons instead of
 * five billion.
 *
 * @param fingerprints encoded fingerprints by path; an image without one is skipped.
 */
export function findNearDuplicates(
  images: readonly ManifestImage[],
  fingerprints: ReadonlyMap<string, string>,
): readonly NearDuplicate[] {
  const index = new Map<number, Candidate[]>();
  const found: NearDuplicate[] = [];
  for (const image of images) {
    const candidate = toCandidate(image, fingerprints.get(image.path));
    if (candidate === null) continue;
    const alike = lookUp(index, candidate);
    for (const { image: first } of alike) found.push({ first, second: image });
    for (const key of keysOf(candidate.hash)) {
      const bucket = index.get(key);
      if (bucket === undefined) index.set(key, [candidate]);
      else bucket.push(candidate);
    }
  }
  return found;
}

/** Converts near-duplicates to problems, which are fatal if the data set is checked strictly. */
export function nearDuplicateProblems(
  duplicates: readonly NearDuplicate[],
  { isStrict, isAllowed }: { readonly isStrict: boolean; readonly isAllowed: boolean },
): readonly DatasetProblem[] {
  const fatal = isStrict && !isAllowed;
  const remedy = fatal
    ? 'Remove one of them, or do not set strict'
    : 'Testing on training images overestimates accuracy';
  const problems = duplicates.slice(0, MAX_LISTED).map(({ first, second }): DatasetProblem => {
    const message = `"${second.path}" (${second.split}) looks like "${first.path}" (${first.split}). ${remedy}.`;
    return { code: 'NEAR_DUPLICATE', path: second.path, message, fatal };
  });
  if (duplicates.length <= MAX_LISTED) return problems;
  const count = duplicates.length - MAX_LISTED;
  const message = `${countOf(count, 'more image resembles', 'more images resemble')} an image of another split.`;
  return [...problems, { code: 'NEAR_DUPLICATE', path: '', message, fatal, count }];
}

function toCandidate(image: ManifestImage, encoded: string | undefined): Candidate | null {
  if (encoded === undefined) return null;
  const fingerprint = decodeFingerprint(encoded);
  if (contrastOf(fingerprint) < MIN_CONTRAST) return null;
  return { image, fingerprint, hash: differenceHash(fingerprint) };
}

function lookUp(index: ReadonlyMap<number, readonly Candidate[]>, candidate: Candidate): ReadonlySet<Candidate> {
  const alike = new Set<Candidate>();
  for (const key of keysOf(candidate.hash)) {
    for (const near of [key, ...ONE_BIT.map((bit) => key ^ bit)]) {
      for (const other of index.get(near) ?? []) {
        if (isNear(candidate, other)) alike.add(other);
      }
    }
  }
  return alike;
}

function isNear(a: Candidate, b: Candidate): boolean {
  return (
    a.image.split !== b.image.split &&
    a.image.sha256 !== b.image.sha256 &&
    hammingDistance(a.hash, b.hash) <= MAX_DISTANCE &&
    meanDifference(a.fingerprint, b.fingerprint) <= MAX_MEAN_DIFFERENCE
  );
}

const ONE_BIT: readonly number[] = Array.from({ length: 16 }, (_, bit) => 1 << bit);

/** Returns the index keys of a hash: the part's position above its bits. */
function keysOf(hash: DifferenceHash): readonly number[] {
  return hash.map((part, place) => (place << 16) | part);
}
