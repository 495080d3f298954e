import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PathOutsideError } from '../../../../services/trainer/data/data-root.ts';
import { lineMistake } from '../../../../services/core/reports/text-rules.ts';
import { showName } from '../../../../services/trainer/data/file-names.ts';
import { pictureBytes, writeFiles } from '../../../support/picture.ts';
import { indexFolder } from './check-folder.ts';

const SPLITS = ['train', 'validation', 'test'];
const FRACTIONS = { splitFractions: { train: 0.5, validation: 0.25, test: 0.25, seed: 1 } };
const COMPOSED = 'salade-ni\u00e7oise-\u00e9';
const DECOMPOSED = COMPOSED.normalize('NFD');

let folder: string;
let root: string;
const at = (...parts: readonly string[]): string => join(root, ...parts);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-odd-folders-'));
  root = join(folder, 'data');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes one picture of each class into each split. */
async function writeSplits(...classes: readonly string[]): Promise<void> {
  await writeFiles(
    root,
    Object.fromEntries(SPLITS.flatMap((split) => classes.map((name) => [`${split}/${name}/1.png`, null]))),
  );
}

/** Writes pictures `<class>/<number>.png`. */
async function writeFlat(...classes: readonly string[]): Promise<void> {
  await writeFiles(
    root,
    Object.fromEntries(classes.flatMap((name) => [1, 2, 3, 4].map((number) => [`${name}/${number}.png`, null]))),
  );
}

describe('leftovers of systems and tools', () => {
  it('are left out with a note, at the root of a volume', async () => {
    await writeFlat('alpha', 'beta');
    mkdirSync(at('lost+found'), { mode: 0o700 });
    await writeFiles(root, { '__MACOSX/alpha/._1.png': 'x', '@eaDir/1.png/thumb.jpg': null, '.DS_Store': 'x' });
    const { indexed, problems } = await indexFolder(root, FRACTIONS);
    expect(indexed?.dataset.classNames).toEqual(['alpha', 'beta']);
    expect(problems).toEqual([
      {
        code: 'LEFT_OUT',
        path: '',
        message: 'Left out as leftovers of operating systems and tools: .DS_Store, @eaDir, __MACOSX, lost+found.',
        fatal: false,
      },
    ]);
  });

  it('are left out inside classes and splits, where Keras would train on some of them', async () => {
    await writeSplits('cat', 'dog');
    const picture = await pictureBytes('thumbnail');
    const places = [
      'train/cat/.ipynb_checkpoints/1-checkpoint.png',
      'train/cat/._1.png',
      'train/dog/._2.png',
      'train/cat/Thumbs.db',
      'train/cat/.thumbnails/1.png',
      'train/$RECYCLE.BIN/1.png',
      'train/System Volume Information/1.png',
      'validation/#recycle/1.png',
      'test/.Trash-1000/1.png',
    ];
    await writeFiles(root, Object.fromEntries(places.map((place) => [place, picture])));
    const { indexed, problems } = await indexFolder(root);
    expect(indexed?.images).toHaveLength(6);
    expect(problems.map(({ code }) => code)).toEqual(['LEFT_OUT']);
    expect(problems[0]?.message).toContain(
      '#recycle, $RECYCLE.BIN, .Trash-1000, ._* (2 times), .ipynb_checkpoints, .thumbnails, System Volume',
    );
  });
});

describe('a class without an image', () => {
  it('is an error when it contains only text files, in all splits or in one', async () => {
    await writeSplits('cat', 'dog');
    await writeFiles(root, Object.fromEntries(SPLITS.map((split) => [`${split}/zebra/readme.txt`, 'no image'])));
    const empty = ['EMPTY_CLASS test/zebra!', 'EMPTY_CLASS train/zebra!', 'EMPTY_CLASS validation/zebra!'];
    expect((await indexFolder(root)).lines.filter((line) => line.startsWith('EMPTY'))).toEqual(empty);
    await writeFiles(root, { 'train/zebra/1.png': null, 'test/zebra/1.png': null });
    expect((await indexFolder(root)).lines.filter((line) => line.startsWith('EMPTY'))).toEqual([empty[2]]);
  });

  it('is an error when bad files are skipped and all of its files are bad', async () => {
    await writeSplits('cat', 'dog');
    await writeFiles(root, Object.fromEntries(SPLITS.map((split) => [`${split}/zebra/1.webp`, 'RIFF'])));
    const lines = SPLITS.toSorted().map((split) => `EMPTY_CLASS ${split}/zebra!`);
    const found = await indexFolder(root, { skipBadFiles: true });
    expect(found.lines.filter((line) => line.startsWith('EMPTY'))).toEqual(lines);
    // Otherwise the problem is reported once, for the files themselves.
    expect((await indexFolder(root)).lines.filter((line) => line.startsWith('EMPTY'))).toEqual([]);
  });

  it('is an error in the flat layout when it contains a folder of text files or hidden files', async () => {
    await writeFlat('cat', 'dog');
    await writeFiles(root, { 'bird/notes/a.txt': 'x', 'fish/.hidden.png': 'x' });
    const { lines } = await indexFolder(root, FRACTIONS);
    expect(lines).toEqual(['EMPTY_CLASS bird!', 'EMPTY_CLASS fish!', 'UNSUPPORTED_FORMAT bird/notes/a.txt']);
  });
});

describe('names that are not UTF-8', () => {
  const bytes = (...parts: readonly (string | number)[]): Buffer =>
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));

  it('are reported one by one with their bytes, and the other images are used', async () => {
    await writeSplits('alpha', 'beta');
    await writeFiles(root, { 'train/alpha/a.png': null, 'train/alpha/b.png': null });
    renameSync(at('train/alpha/a.png'), bytes(at('train/alpha/gr'), 0xfc, 'n.png'));
    renameSync(at('train/alpha/b.png'), bytes(at('train/alpha/gr'), 0xfe, 'n.png'));
    for (const skipBadFiles of [false, true]) {
      const { indexed, lines, problems } = await indexFolder(root, { skipBadFiles });
      expect(lines).toEqual(['UNREADABLE train/alpha/gr\\xfcn.png', 'UNREADABLE train/alpha/gr\\xfen.png']);
      expect(problems[0]?.message).toContain('"train/alpha/gr\\xfcn.png" has a name that is not UTF-8');
      expect(indexed?.images.map(({ path }) => path)).toContain('train/alpha/1.png');
      expect(indexed?.images).toHaveLength(6);
    }
  });

  it('of a folder inside a class show the images by their bytes; of a class they are an error', async () => {
    await writeSplits('alpha', 'beta');
    const inner = bytes(at('train/alpha/'), 0xe9);
    mkdirSync(inner);
    writeFileSync(bytes(at('train/alpha/'), 0xe9, '/1.png'), await pictureBytes('inner'));
    expect((await indexFolder(root)).lines).toEqual(['UNREADABLE train/alpha/\\xe9/1.png']);
    mkdirSync(bytes(at('train/'), 0xe9));
    expect((await indexFolder(root)).lines).toContain('UNREADABLE train/\\xe9!');
  });

  it('of a class are an error when they have a character that the coordinator refuses', async () => {
    await writeSplits('alpha', 'beta');
    for (const character of ['\n', '\u001b', '\u200f', '\u202e', '\u061c', '\u2028']) {
      const name = `x${character}y`;
      expect(lineMistake(name, 255), name).not.toBeNull();
      mkdirSync(at('train', name));
      const { problems, lines } = await indexFolder(root);
      const code = `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
      expect(lines.filter((line) => line.startsWith('UNREADABLE'))).toHaveLength(1);
      expect(problems.find(({ code: kind }) => kind === 'UNREADABLE')?.message).toContain(`received ${code}`);
      rmSync(at('train', name), { recursive: true });
    }
  });

  it('are shown with invalid bytes and control characters escaped', () => {
    expect(showName(bytes('a', 0xff, '\u00e9', 0xc3))).toBe('a\\xff\u00e9\\xc3');
    expect(showName(bytes('a\u001b[31m\u202eb\n'))).toBe('a\\u{1b}[31m\\u{202e}b\\u{a}');
  });
});

describe('class names that look alike', () => {
  it('are one class when composed in one split and decomposed in another', async () => {
    await writeSplits('pommes', COMPOSED);
    renameSync(at('validation', COMPOSED), at('validation', DECOMPOSED));
    const { indexed, problems } = await indexFolder(root);
    expect(indexed?.dataset.classNames).toEqual(['pommes', COMPOSED]);
    expect(indexed?.dataset.classCounts.map(({ imageCount }) => imageCount)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(indexed?.images.map(({ path }) => path)).toContain(`validation/${DECOMPOSED}/1.png`);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ code: 'SIMILAR_CLASSES', fatal: false });
    expect(problems[0]?.message).toContain('validation: ');
    expect(problems[0]?.message).toContain('U+0327');
  });

  it('keep their spelling when all splits agree, as in Keras', async () => {
    await writeSplits('f', DECOMPOSED);
    const { indexed, problems } = await indexFolder(root);
    expect(indexed?.dataset.classNames).toEqual(['f', DECOMPOSED]);
    expect(problems).toEqual([]);
  });

  it('are an error when one split has both spellings', async () => {
    await writeFlat('pommes', COMPOSED, DECOMPOSED);
    const { lines, problems } = await indexFolder(root, FRACTIONS);
    expect(lines).toEqual([`SIMILAR_CLASSES ${COMPOSED}!`]);
    expect(problems[0]?.message).toContain('composed and decomposed in Unicode');
  });

  it('get a note when they differ in case within a split, and a hint when across splits', async () => {
    await writeSplits('Cat', 'cat', 'dog');
    const { indexed, lines } = await indexFolder(root);
    expect(indexed?.dataset.classNames).toEqual(['Cat', 'cat', 'dog']);
    expect(lines).toEqual(SPLITS.toSorted().map((split) => `SIMILAR_CLASSES ${split}/cat`));
    rmSync(at('test/cat'), { recursive: true });
    renameSync(at('test/dog'), at('test/dog '));
    const { problems } = await indexFolder(root);
    const missing = problems.filter(({ code }) => code === 'CLASS_MISSING').map(({ message }) => message);
    expect(missing).toContainEqual(
      expect.stringContaining('no folder of class "cat", which other splits have, but "Cat"'),
    );
    expect(missing).toContainEqual(
      expect.stringContaining('no folder of class "dog", which other splits have, but "dog " (U+0020)'),
    );
  });
});

describe('links', () => {
  beforeEach(() => writeSplits('cat', 'dog'));

  it('to a folder are classes, and are not followed inside a class, as in Keras; loops end', async () => {
    await writeFiles(folder, { 'data/more/1.png': null, 'data/more/2.png': null });
    for (const split of SPLITS) symlinkSync(at('more'), at(split, 'linked'));
    symlinkSync(at('more'), at('train/cat/inner'));
    symlinkSync('..', at('train/dog/up'));
    symlinkSync('self', at('test/cat/self'));
    symlinkSync('round', at('train/round'));
    const { indexed, lines } = await indexFolder(root, { skipBadFiles: true });
    expect(indexed?.dataset.classNames).toEqual(['cat', 'dog', 'linked']);
    expect(indexed?.images.filter(({ path }) => path.startsWith('train/'))).toHaveLength(4);
    const links = lines.filter((line) => !line.startsWith('EXACT'));
    expect(links).toEqual([
      'LEFT_OUT train/cat/inner',
      'LEFT_OUT train/dog/up',
      'UNREADABLE train/round',
      'UNSUPPORTED_FORMAT test/cat/self',
    ]);
  });

  it('out of the data root are refused, whatever their target, which is not named', async () => {
    await writeFiles(folder, { 'secret/hidden-project/plans.png': null, 'secret/key.txt': 'x' });
    const secret = join(folder, 'secret');
    const places: readonly (readonly [string, string])[] = [
      [at('train/outside'), secret],
      [at('train/cat/outside'), join(secret, 'hidden-project')],
      [at('train/cat/key.txt'), join(secret, 'key.txt')],
      [at('train/cat/3.png'), join(secret, 'hidden-project/plans.png')],
      // The message doesn't reveal whether the target exists.
      [at('train/cat/4.png'), join(secret, 'nothing.png')],
      [at('train/cat/5.png'), '/dev/zero'],
    ];
    for (const [link, target] of places) {
      symlinkSync(target, link);
      const refusal: unknown = await indexFolder(root, {}, root).catch((error: unknown) => error);
      expect(refusal, link).toBeInstanceOf(PathOutsideError);
      expect(String(refusal)).toContain(`"${link}" lies outside`);
      expect(String(refusal)).not.toMatch(/hidden-project|plans|secret|zero/);
      rmSync(link);
    }
    renameSync(at('train'), at('train-real'));
    symlinkSync(secret, at('train'));
    await expect(indexFolder(root, {}, root)).rejects.toThrow(PathOutsideError);
    // A link without the name of a split is not followed.
    rmSync(at('train'));
    renameSync(at('train-real'), at('train'));
    symlinkSync(secret, at('raw'));
    expect((await indexFolder(root, {}, root)).problems).toEqual([]);
  });

  it('inside the data root are read', async () => {
    await writeFiles(folder, { 'data/pool/7.png': null });
    symlinkSync('../../pool/7.png', at('train/cat/7.png'));
    const { indexed } = await indexFolder(root, {}, root);
    expect(indexed?.images.map(({ path }) => path)).toContain('train/cat/7.png');
  });

  it('to pipes and devices, and pipes themselves, never block a reader', async () => {
    execFileSync('mkfifo', [at('train/cat/pipe.png')]);
    symlinkSync('pipe.png', at('train/cat/to-pipe.png'));
    symlinkSync('/dev/zero', at('train/cat/zero.png'));
    const names = ['pipe.png', 'to-pipe.png', 'zero.png'].map((name) => `UNREADABLE train/cat/${name}`);
    expect((await indexFolder(root, { skipBadFiles: true })).lines).toEqual(names);
    expect((await indexFolder(root)).lines).toEqual(names.map((line) => `${line}!`));
  });
});
