import type { DatasetProblem, ManifestImage } from '../../core/dataset.ts';
import { contrastOf, decodeFingerprint, differenceHash, hammingDistance, meanDifference } from './fingerprint.ts';
import type { DifferenceHash, Fingerprint } from './fingerprint.ts';

/** Differing bits of the difference hashes, of 64. */
const MAX_DISTANCE = 7;
/** Mean difference of the cells' brightness, of 255. */
const MAX_MEAN_DIFFERENCE = 10;
/** Below, a picture has nothing to tell it by: an empty sky looks like any other. */
const MIN_CONTRAST = 16;
/** More are counted, not listed. */
const MAX_LISTED = 100;

interface Candidate {
  readonly image: ManifestImage;
  readonly fingerprint: Fingerprint;
  readonly hash: DifferenceHash;
}

/** Two images of different splits that look alike. */
export interface NearDuplicate {
  readonly first: ManifestImage;
  readonly second: ManifestImage;
}

/**
 * Images of two splits that show the same picture, stored anew: in another format, quality or size. Exact duplicates are not
 * among them. Two things must agree, the difference hash and the brightness of 72 cells; a crop or a mirrored picture is not
 * found.
 *
 * The hashes are looked up by their four parts of 16 bits: of seven differing bits one part has one at most, so each part is
 * looked up as it is and with each bit flipped. 100,000 images need some ten million comparisons instead of five thousand
 * million.
 *
 * @param fingerprints by path, encoded; an image without one is left out.
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

/** What is told of them; fatal where the data set is checked strictly. */
export function nearDuplicateProblems(
  duplicates: readonly NearDuplicate[],
  { isStrict, isAllowed }: { readonly isStrict: boolean; readonly isAllowed: boolean },
): readonly DatasetProblem[] {
  const fatal = isStrict && !isAllowed;
  const remedy = fatal ? 'Remove one of them, or do not set strict' : 'A test on what was trained on says little';
  const problems = duplicates.slice(0, MAX_LISTED).map(({ first, second }): DatasetProblem => {
    const message = `"${second.path}" (${second.split}) looks like "${first.path}" (${first.split}). ${remedy}.`;
    return { code: 'NEAR_DUPLICATE', path: second.path, message, fatal };
  });
  if (duplicates.length <= MAX_LISTED) return problems;
  const count = duplicates.length - MAX_LISTED;
  const message = `${count} more images look like one of another split.`;
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

/** The part's number above its bits. */
function keysOf(hash: DifferenceHash): readonly number[] {
  return hash.map((part, place) => (place << 16) | part);
}
