import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countImages } from '../../../services/cli/dataset/count-images.ts';
import type { DatasetSource } from '../../../services/core/sweep/sweep-spec.ts';
import { readLayout } from '../../../services/trainer/data/dataset-layout.ts';
import { splitBounds } from '../../../services/core/split-bounds.ts';
import { temporaryFolder } from '../../support/run-script.ts';

const FRACTIONS = { train: 0.7, validation: 0.15, test: 0.15, seed: 1 };

let folder: string;
beforeAll(() => {
  folder = temporaryFolder('graft-count-');
  const images = { train: 5, validation: 3, test: 2 };
  for (const [split, count] of Object.entries(images)) {
    for (const name of ['cat', 'dog', 'bird']) write(join('splits', split, name), count);
  }
  // What INDEX leaves out, and what it reads in spite of its place or its name.
  writeFileSync(join(folder, 'splits/train/cat/notes.txt'), '');
  writeFileSync(join(folder, 'splits/train/cat/.hidden.png'), '');
  writeFileSync(join(folder, 'splits/train/cat/Thumbs.db'), '');
  write('splits/train/cat/more/and more', 4);
  write('splits/train/.cache', 7);
  write('splits/train/cat/@eaDir', 7);
  write('elsewhere', 3);
  symlinkSync(join(folder, 'elsewhere'), join(folder, 'splits/train/cat/link'));
  writeFileSync(join(folder, 'splits/test/dog/UPPER.JPEG'), '');
  for (const [name, count] of Object.entries({ cat: 20, dog: 3 })) write(join('flat', name), count);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, count: number): void {
  mkdirSync(join(folder, path), { recursive: true });
  for (let index = 0; index < count; index += 1) writeFileSync(join(folder, path, `${index}.png`), '');
}

function sourceOf(path: string, splitFractions: DatasetSource['splitFractions'] = null): DatasetSource {
  return { path: join(folder, path), splitFractions, allowDuplicates: false, skipBadFiles: false };
}

describe('a count of images by their names', () => {
  it('is that of INDEX', async () => {
    const source = sourceOf('splits');
    const { files, classNames } = await readLayout(source, null);
    const of = (split: string): number => files.filter((file) => file.split === split).length;
    expect(await countImages(source)).toEqual({
      isComplete: true,
      counted: {
        trainImageCount: of('train'),
        validationImageCount: of('validation'),
        testImageCount: of('test'),
        classCount: classNames.length,
      },
    });
    expect([of('train'), of('validation'), of('test')]).toEqual([19, 9, 7]);
  });

  it('divides a folder without splits class by class', async () => {
    const [trainEnd, validationEnd] = splitBounds(20, FRACTIONS);
    expect(await countImages(sourceOf('flat', FRACTIONS))).toHaveProperty('counted', {
      trainImageCount: trainEnd + 1,
      validationImageCount: validationEnd - trainEnd + 1,
      testImageCount: 20 - validationEnd + 1,
      classCount: 2,
    });
  });

  it('stops in time and extrapolates from the classes that it reached', async () => {
    let entries = 0;
    // After the ten images of the class bird, and one of cat.
    const count = await countImages(sourceOf('splits'), () => (entries += 1) > 10);
    if (typeof count === 'string') throw new Error(count);
    expect(count.isComplete).toBe(false);
    expect(count.counted).toMatchObject({ validationImageCount: 9, testImageCount: 6, classCount: 3 });
    expect(count.counted.trainImageCount).toBeGreaterThan(5);
  });

  it.each(['nowhere', 'flat', 'splits/train/cat'])(
    'finds no images in a folder that no sweep could use: %s',
    async (path) => {
      expect(await countImages(sourceOf(path))).toBe('NO_IMAGES');
    },
  );

  it('says that the time was up before a class of each split was counted', async () => {
    expect(await countImages(sourceOf('splits'), () => true)).toBe('TOO_SLOW');
  });
});
