import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DatasetProblem } from '../../../../services/core/dataset.ts';
import type { DatasetSource } from '../../../../services/core/sweep/sweep-spec.ts';
import { DatasetInvalidError, indexDataset } from '../../../../services/trainer/data/index-dataset.ts';
import { decodeManifest, encodeManifest } from '../../../../services/trainer/data/manifest.ts';
import type { IndexedDataset } from '../../../../services/trainer/data/manifest.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import { pictureBytes, smoothPicture, writeFiles } from '../../../support/picture.ts';

const GOOD = {
  'train/cat/1.jpg': null,
  'train/cat/2.png': null,
  'train/dog/1.jpg': null,
  'validation/cat/1.jpg': null,
  'validation/dog/1.jpg': null,
  'test/cat/1.jpg': null,
  'test/dog/1.jpg': null,
};

describe('indexDataset', () => {
  let folder: string;
  let root: string;
  let cacheDir: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'graft-index-'));
    root = join(folder, 'data');
    cacheDir = join(folder, 'cache');
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function index(source: Partial<DatasetSource> = {}): Promise<IndexedDataset> {
    const defaults = { path: root, splitFractions: null, allowDuplicates: false, skipBadFiles: false };
    return indexDataset({ source: { ...defaults, ...source }, cacheDir });
  }

  /** Code and path of each problem, fatal ones with an exclamation mark. */
  async function problemsOf(source: Partial<DatasetSource> = {}): Promise<readonly string[]> {
    const problems = await index(source).then(
      ({ dataset }) => dataset.problems,
      (error: unknown) => {
        if (error instanceof DatasetInvalidError) return error.problems;
        throw error;
      },
    );
    return problems.map(({ code, path, fatal }) => `${code} ${path}${fatal ? '!' : ''}`).sort();
  }

  it('finds the same picture in two splits under two names: identical, re-encoded or scaled down', async () => {
    const large = await pictureBytes('large', 'png', 96);
    await writeFiles(root, {
      ...GOOD,
      'train/cat/exact.png': large,
      'test/cat/same-bytes.png': large,
      'train/cat/smooth.png': await smoothPicture(1),
      'validation/cat/other-format.jpg': await sharp(await smoothPicture(1))
        .jpeg({ quality: 60 })
        .toBuffer(),
      'test/dog/smaller.jpg': await sharp(await smoothPicture(1))
        .resize(70, 50, { fit: 'fill' })
        .jpeg()
        .toBuffer(),
      'test/dog/another.png': await smoothPicture(2),
      // Similar, but in one split: this doesn't bias any test.
      'train/cat/smooth-again.jpg': await sharp(await smoothPicture(1))
        .jpeg({ quality: 90 })
        .toBuffer(),
    });
    const near = [
      'NEAR_DUPLICATE test/dog/smaller.jpg',
      'NEAR_DUPLICATE test/dog/smaller.jpg',
      'NEAR_DUPLICATE test/dog/smaller.jpg',
      'NEAR_DUPLICATE validation/cat/other-format.jpg',
      'NEAR_DUPLICATE validation/cat/other-format.jpg',
    ];
    expect(await problemsOf()).toEqual(['EXACT_DUPLICATE test/cat/same-bytes.png!', ...near]);
    expect(await problemsOf({ strict: true })).toEqual([
      'EXACT_DUPLICATE test/cat/same-bytes.png!',
      ...near.map((line) => `${line}!`),
    ]);
    expect(await problemsOf({ strict: true, allowDuplicates: true })).toEqual([
      'EXACT_DUPLICATE test/cat/same-bytes.png',
      ...near,
    ]);
    // The second check comes from the cache.
    const { problems } = (await index({ allowDuplicates: true })).dataset;
    expect(problems.filter(({ code }) => code === 'NEAR_DUPLICATE')).toHaveLength(5);
    expect(problems.find(({ path }) => path === 'validation/cat/other-format.jpg')?.message).toContain(
      '"validation/cat/other-format.jpg" (validation) looks like "train/cat/smooth',
    );
  });

  it("returns classes, counts and images in Keras' order", async () => {
    await writeFiles(root, {
      ...GOOD,
      'train/dog/B.jpg': null,
      'train/dog/a.jpg': null,
      'train/dog/inner/0.jpg': null,
      'train/dog/10.jpg': null,
      'train/dog/2.jpg': null,
      'train/dog/.hidden.jpg': 'not an image',
      'train/.ignored/x.jpg': 'not an image',
    });
    const { dataset, images } = await index();
    expect(dataset.classNames).toEqual(['cat', 'dog']);
    expect(images.map(({ path }) => path)).toEqual([
      'train/cat/1.jpg',
      'train/cat/2.png',
      'train/dog/1.jpg',
      'train/dog/10.jpg',
      'train/dog/2.jpg',
      'train/dog/B.jpg',
      'train/dog/a.jpg',
      'train/dog/inner/0.jpg',
      'validation/cat/1.jpg',
      'validation/dog/1.jpg',
      'test/cat/1.jpg',
      'test/dog/1.jpg',
    ]);
    expect(images.map(({ label }) => label)).toEqual([0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1]);
    expect(dataset.classCounts).toContainEqual({ split: 'train', className: 'dog', imageCount: 6 });
    expect(dataset.problems).toEqual([]);
    expect(dataset.datasetId).toBe(`d${dataset.digest.slice(0, 16)}`);
  });

  it('gives equal content the same digest and other content another one', async () => {
    await writeFiles(root, GOOD);
    const first = await index();
    expect((await index()).dataset.digest).toBe(first.dataset.digest);
    writeFileSync(join(root, 'train/cat/1.jpg'), await pictureBytes('another'));
    expect((await index()).dataset.digest).not.toBe(first.dataset.digest);
  });

  it('reports all problems at once', async () => {
    const picture = await pictureBytes('cut');
    await writeFiles(root, {
      'train/cat/good.jpg': null,
      'train/cat/cut.jpg': picture.subarray(0, picture.length - 40),
      'train/cat/empty.jpg': '',
      'train/cat/text.png': 'hello',
      'train/cat/page.jpg': '<!DOCTYPE html><html></html>',
      'train/cat/photo.webp': 'RIFF....WEBPVP8 ',
      'train/cat/notes.txt': 'hello',
      'train/dog/good.jpg': null,
      'train/bird/good.jpg': null,
      'test/cat/copy.jpg': await pictureBytes('train/cat/good.jpg'),
      'test/dog/bad.jpg': 'x',
    });
    mkdirSync(join(root, 'test/bird'));
    expect(await problemsOf()).toEqual([
      'CORRUPT_IMAGE test/dog/bad.jpg!',
      'CORRUPT_IMAGE train/cat/cut.jpg!',
      'CORRUPT_IMAGE train/cat/empty.jpg!',
      'CORRUPT_IMAGE train/cat/text.png!',
      'EMPTY_CLASS test/bird!',
      'EXACT_DUPLICATE test/cat/copy.jpg!',
      'MISSING_SPLIT validation!',
      'TOO_FEW_IMAGES test/dog!',
      'UNSUPPORTED_FORMAT train/cat/notes.txt',
      'UNSUPPORTED_FORMAT train/cat/page.jpg!',
      'UNSUPPORTED_FORMAT train/cat/photo.webp!',
    ]);
  });

  it('names the file, the reason and the remedy', async () => {
    await writeFiles(root, { ...GOOD, 'train/cat/bad.jpg': 'no image' });
    const failure = (await index().catch((error: unknown) => error)) as DatasetInvalidError;
    expect(failure).toBeInstanceOf(DatasetInvalidError);
    expect(failure.path).toBe(root);
    expect(failure.problems[0]?.message).toMatch(/"train\/cat\/bad\.jpg": .*Unknown image file format.*skip_bad_files/);
    expect(failure.message).toContain('has one problem');
  });

  it('skips bad files when that is allowed', async () => {
    await writeFiles(root, { ...GOOD, 'train/cat/bad.jpg': 'no image', 'train/cat/x.webp': 'RIFF' });
    const { dataset, images } = await index({ skipBadFiles: true });
    expect(images.map(({ path }) => path)).not.toContain('train/cat/bad.jpg');
    expect(images).toHaveLength(7);
    expect(dataset.problems.map(({ code, fatal }) => [code, fatal])).toEqual([
      ['UNSUPPORTED_FORMAT', false],
      ['CORRUPT_IMAGE', false],
    ]);
  });

  it('keeps duplicates across splits when that is allowed, and warns of one picture in two classes', async () => {
    const same = await pictureBytes('same');
    await writeFiles(root, { ...GOOD, 'train/cat/a.jpg': same, 'train/dog/b.jpg': same, 'test/cat/c.jpg': same });
    expect(await problemsOf()).toEqual(['EXACT_DUPLICATE test/cat/c.jpg!', 'EXACT_DUPLICATE train/dog/b.jpg']);
    expect(await problemsOf({ allowDuplicates: true })).toEqual([
      'EXACT_DUPLICATE test/cat/c.jpg',
      'EXACT_DUPLICATE train/dog/b.jpg',
    ]);
    expect((await index({ allowDuplicates: true })).images).toHaveLength(10);
  });

  it('reports a class that is missing in a split', async () => {
    await writeFiles(root, { ...GOOD, 'train/bird/1.jpg': null, 'validation/bird/1.jpg': null });
    expect(await problemsOf()).toEqual(['CLASS_MISSING test/bird!']);
  });

  it.each([
    ['a folder that does not exist', {}, ['UNREADABLE !']],
    [
      'a single class',
      { 'train/a/1.jpg': null, 'validation/a/1.jpg': null, 'test/a/1.jpg': null },
      ['CLASS_MISSING !'],
    ],
  ])('reports %s', async (_, files, expected) => {
    await writeFiles(root, files);
    expect(await problemsOf()).toEqual(expected);
  });

  it('points at split folders with other names and at the flat layout', async () => {
    await writeFiles(root, { 'train/a/1.jpg': null, 'val/a/1.jpg': null });
    const failure = (await index().catch((error: unknown) => error)) as DatasetInvalidError;
    const messages = failure.problems.map(({ message }: DatasetProblem) => message).join('\n');
    expect(messages).toContain('There is no folder "validation", but "val": rename it.');
    expect(messages).toContain(
      'There is no folder "test" (found: train, val). If these are the classes, set split fractions.',
    );
  });

  it('reports a dangling link as unreadable', async () => {
    await writeFiles(root, GOOD);
    symlinkSync('/nowhere', join(root, 'train/cat/link.jpg'));
    expect(await problemsOf()).toEqual(['UNREADABLE train/cat/link.jpg!']);
  });

  describe('with split fractions', () => {
    const splitFractions = { train: 0.5, validation: 0.25, test: 0.25, seed: 3 };
    const names = Array.from({ length: 8 }, (_, number) => `${number}.jpg`);
    const flat = Object.fromEntries(
      names.flatMap((name) => [
        [`cat/${name}`, null],
        [`dog/${name}`, null],
      ]),
    );

    it('draws the same splits again, with the same class proportions', async () => {
      await writeFiles(root, flat);
      const first = await index({ splitFractions });
      expect(first.dataset.classCounts.map(({ imageCount }) => imageCount)).toEqual([4, 4, 2, 2, 2, 2]);
      expect((await index({ splitFractions })).images).toEqual(first.images);
      const other = await index({ splitFractions: { ...splitFractions, seed: 4 } });
      expect(other.dataset.digest).not.toBe(first.dataset.digest);
    });

    it('assigns files with the same content to the same split', async () => {
      const copies = await Promise.all(
        names.map(async (name) => [`cat/z${name}`, await pictureBytes(`cat/${name}`)] as const),
      );
      await writeFiles(root, { ...flat, ...Object.fromEntries(copies) });
      const { images } = await index({ splitFractions });
      const splitOf = new Map(images.map(({ path, split }) => [path, split]));
      for (const name of names) expect(splitOf.get(`cat/z${name}`)).toBe(splitOf.get(`cat/${name}`));
    });

    it('reports a class with too few images for its splits', async () => {
      await writeFiles(root, { ...flat, 'bird/1.jpg': null });
      expect(await problemsOf({ splitFractions })).toEqual(['TOO_FEW_IMAGES bird!', 'TOO_FEW_IMAGES bird!']);
    });

    it('does not take split folders for classes', async () => {
      await writeFiles(root, GOOD);
      expect(await problemsOf({ splitFractions })).toEqual(['CLASS_MISSING !']);
    });
  });

  it('caches checks until a file changes', async () => {
    await writeFiles(root, GOOD);
    const file = join(root, 'train/cat/1.jpg');
    const before = new Date(Date.now() - 60_000);
    for (const path of Object.keys(GOOD)) utimesSync(join(root, path), before, before);
    const { dataset } = await index();
    // Same length and time, other content: only a cached check can miss the change.
    const bytes = readFileSync(file);
    writeFileSync(file, Buffer.alloc(bytes.length));
    utimesSync(file, before, before);
    expect((await index()).dataset.digest).toBe(dataset.digest);
    const later = new Date(Date.now() - 50_000);
    utimesSync(file, later, later);
    expect(await problemsOf()).toEqual(['CORRUPT_IMAGE train/cat/1.jpg!']);
  });

  it('reports progress and disposes of its tensors', async () => {
    await writeFiles(root, GOOD);
    const tensors = tf.memory().numTensors;
    const seen: (readonly [number, number])[] = [];
    const source = { path: root, splitFractions: null, allowDuplicates: false, skipBadFiles: false };
    await indexDataset({ source, cacheDir, onProgress: ({ done, total }) => seen.push([done, total]) });
    expect(seen.at(-1)).toEqual([7, 7]);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('writes a manifest that can be read back, and detects damage', async () => {
    await writeFiles(root, GOOD);
    const indexed = await index();
    const bytes = encodeManifest(indexed);
    expect(decodeManifest('m.jsonl', bytes)).toEqual(indexed);
    const changed = bytes.toString().replace('test/dog/1.jpg', 'test/dog/2.jpg');
    expect(() => decodeManifest('m.jsonl', Buffer.from(changed))).toThrow(
      'm.jsonl is not a manifest of a data set: its digest does not match its lines',
    );
    expect(() => decodeManifest('m.jsonl', Buffer.from('rubbish'))).toThrow('is not JSON');
  });
});
