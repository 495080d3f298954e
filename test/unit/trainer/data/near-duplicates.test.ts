import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import type { ManifestImage, Split } from '../../../../services/core/dataset.ts';
import { createStream } from '../../../../services/core/rng/stream.ts';
import { decodeAndAverage } from '../../../../services/trainer/data/decode-image.ts';
import {
  decodeFingerprint,
  differenceHash,
  encodeFingerprint,
  FINGERPRINT_HEIGHT,
  FINGERPRINT_WIDTH,
  fingerprintOf,
  hammingDistance,
} from '../../../../services/trainer/data/fingerprint.ts';
import { findNearDuplicates, nearDuplicateProblems } from '../../../../services/trainer/data/near-duplicates.ts';

const PHOTOS = new URL('../../../../../shared/data/cats-dogs-800/', import.meta.url).pathname;

function fingerprintOfFile(bytes: Uint8Array): string {
  return encodeFingerprint(fingerprintOf(decodeAndAverage(bytes, FINGERPRINT_HEIGHT, FINGERPRINT_WIDTH)));
}

function imageAt(path: string): ManifestImage {
  return { path, split: path.split('/')[0] as Split, label: 0, sha256: path, sizeBytes: 1 };
}

function namesOf(pairs: ReturnType<typeof findNearDuplicates>): string[] {
  return pairs.map(({ first, second }) => `${first.path} ${second.path}`);
}

describe('the search', () => {
  it('finds every pair within seven bits, as comparing all pairs does', () => {
    const random = createStream(5, 'hashes');
    const base = Array.from({ length: 60 }, () => Uint8Array.from({ length: 72 }, () => random.int(256)));
    // Each with a few cells changed slightly: some pairs are near, some are not.
    const prints = base.flatMap((print) => [
      print,
      print.map((value) => Math.min(255, Math.max(0, value + random.int(41) - 20))),
    ]);
    const images = prints.map((_, index) => imageAt(`${index % 2 === 0 ? 'train' : 'test'}/${index}`));
    const found = findNearDuplicates(
      images,
      new Map(images.map(({ path }, index) => [path, encodeFingerprint(prints[index] ?? new Uint8Array())])),
    );
    const expected = new Set<string>();
    for (const [i, a] of prints.entries()) {
      for (const [j, b] of prints.entries()) {
        if (j >= i || i % 2 === j % 2) continue;
        const difference = a.reduce((sum, value, cell) => sum + Math.abs(value - (b[cell] ?? 0)), 0) / 72;
        if (hammingDistance(differenceHash(a), differenceHash(b)) <= 7 && difference <= 10) {
          expected.add(`${images[j]?.path ?? ''} ${images[i]?.path ?? ''}`);
        }
      }
    }
    expect(new Set(namesOf(found))).toEqual(expected);
    expect(expected.size).toBeGreaterThan(5);
    expect(expected.size).toBeLessThan(60);
  });

  it('ignores pictures without content', () => {
    const images = [imageAt('train/sky'), imageAt('test/sky')];
    const flat = (brightness: number): string => encodeFingerprint(new Uint8Array(72).fill(brightness));
    expect(findNearDuplicates(images, new Map(images.map(({ path }, i) => [path, flat(200 + i)])))).toEqual([]);
  });

  it('lists a hundred and counts the others', () => {
    const pair = { first: imageAt('train/a'), second: imageAt('test/b') };
    const problems = nearDuplicateProblems(
      Array.from({ length: 250 }, () => pair),
      { isStrict: true, isAllowed: false },
    );
    expect(problems).toHaveLength(101);
    expect(problems.at(-1)).toMatchObject({
      message: '150 more images resemble an image of another split.',
      fatal: true,
    });
  });

  it('decodes fingerprints to what was encoded', () => {
    const print = Uint8Array.from({ length: 72 }, (_, cell) => cell * 3);
    expect(decodeFingerprint(encodeFingerprint(print))).toEqual(print);
  });
});

describe.skipIf(!existsSync(PHOTOS))(`on the photographs of ${PHOTOS}`, () => {
  const paths = existsSync(PHOTOS)
    ? (readdirSync(PHOTOS, { recursive: true }) as string[]).filter((path) => path.endsWith('.jpg')).sort()
    : [];

  it('finds the two that are one picture, and no other pair of 319,600', () => {
    const images = paths.map(imageAt);
    const prints = new Map(paths.map((path) => [path, fingerprintOfFile(readFileSync(join(PHOTOS, path)))]));
    expect(paths).toHaveLength(800);
    // Checked by eye: the same kittens on the same sheet.
    expect(namesOf(findNearDuplicates(images, prints))).toEqual(['test/cat/cat.4126.jpg validation/cat/cat.4575.jpg']);
    // Across all pairs, regardless of their split.
    const apart = paths.map((path, index): ManifestImage => ({ ...imageAt(path), split: `${index}` as Split }));
    expect(findNearDuplicates(apart, prints)).toHaveLength(1);
  });

  it.each([
    ['JPEG of quality 30', (photo: Sharp) => photo.jpeg({ quality: 30 })],
    ['PNG', (photo: Sharp) => photo.png()],
    ['100 × 100 pixels', (photo: Sharp) => photo.resize(100, 100, { fit: 'fill' }).jpeg()],
  ])('finds each photograph again as %s', async (_, change) => {
    for (const path of paths.filter((_path, index) => index % 20 === 0)) {
      const bytes = readFileSync(join(PHOTOS, path));
      const images = [imageAt(`train/${path}`), imageAt(`test/${path}`)];
      const again = await change(sharp(bytes)).toBuffer();
      const prints = new Map([
        [`train/${path}`, fingerprintOfFile(bytes)],
        [`test/${path}`, fingerprintOfFile(again)],
      ]);
      expect(findNearDuplicates(images, prints), path).toHaveLength(1);
    }
  });
});
