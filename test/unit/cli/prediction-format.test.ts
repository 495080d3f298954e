import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findImages } from '../../../services/cli/dataset/find-images.ts';
import { predictionFormat } from '../../../services/cli/describe/prediction-format.ts';
import type { Prediction, PredictionOutput } from '../../../services/cli/describe/prediction-format.ts';
import { MissingError } from '../../../services/cli/terminal/cli-errors.ts';
import { fileSink } from '../../../services/cli/terminal/result-sink.ts';
import { nodeProgram } from '../../../services/platform/lifecycle/node-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'graft-images-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('images are found', () => {
  beforeAll(() => {
    for (const path of [
      'a/b/2.JPG',
      'a/b/10.jpg',
      'a/1.png',
      'a/notes.txt',
      'a/.hidden.png',
      'a/x.webp',
      'c/[1].png',
    ]) {
      mkdirSync(join(folder, path, '..'), { recursive: true });
      writeFileSync(join(folder, path), '');
    }
    mkdirSync(join(folder, 'empty'));
  });

  async function* lines(text: string): AsyncGenerator<string> {
    yield await Promise.resolve(text);
  }
  const find = (...named: string[]): ReturnType<typeof findImages> => findImages(named, folder, lines(''));

  it('in folders and theirs, sorted, without other files; formats that are not read are reported', async () => {
    expect(await find('a')).toEqual({
      paths: ['a/1.png', 'a/b/10.jpg', 'a/b/2.JPG', 'a/x.webp'],
      leftOut: 1,
      folderLinks: [],
    });
  });

  it('through links to files, also a broken one; links to folders inside are named, not entered', async () => {
    mkdirSync(join(folder, 'links', 'deep'), { recursive: true });
    symlinkSync(join(folder, 'a/1.png'), join(folder, 'links/deep/one.png'));
    symlinkSync(join(folder, 'a/notes.txt'), join(folder, 'links/notes.txt'));
    symlinkSync('nowhere', join(folder, 'links/broken.jpg'));
    symlinkSync('..', join(folder, 'links/deep/circle'));
    symlinkSync(join(folder, 'links/deep'), join(folder, 'top'));
    const paths = ['links/broken.jpg', 'links/deep/one.png'];
    expect(await find('links')).toEqual({ paths, leftOut: 1, folderLinks: ['links/deep/circle'] });
    expect(await find('top')).toEqual({ paths: ['top/one.png'], leftOut: 0, folderLinks: ['top/circle'] });
  });

  it('by patterns, which may name folders; a file of that name comes first', async () => {
    expect((await find('a/**/*.{jpg,JPG}')).paths).toEqual(['a/b/10.jpg', 'a/b/2.JPG']);
    expect((await find('*/b')).paths).toEqual(['a/b/10.jpg', 'a/b/2.JPG']);
    expect((await find('c/[1].png')).paths).toEqual(['c/[1].png']);
    expect((await find(join(folder, 'a/*.png'))).paths).toEqual([join(folder, 'a/1.png')]);
  });

  it('each once, in the order of the arguments; a named file is kept whatever its name, or if it is missing', async () => {
    expect((await find('a/b/2.JPG', 'a/b', 'a/notes.txt', 'nowhere.png')).paths).toEqual([
      'a/b/2.JPG',
      'a/b/10.jpg',
      'a/notes.txt',
      'nowhere.png',
    ]);
  });

  it('from a list on standard input, by line or NUL', async () => {
    const listed = await findImages(['-'], folder, lines('a/1.png\na/b/2.JPG\n'));
    expect(listed.paths).toEqual(['a/1.png', 'a/b/2.JPG']);
    const ended = await findImages(['-'], folder, lines('a/1.png\0new\nline.png\0'));
    expect(ended.paths).toEqual(['a/1.png', 'new\nline.png']);
    const missing = await findImages(['-'], folder, lines('gone[1].png\nwhy?.png\na/1.png\n'));
    expect(missing.paths).toEqual(['gone[1].png', 'why?.png', 'a/1.png']);
    await expect(findImages(['-'], folder, lines('\n'))).rejects.toThrow('Standard input names no image.');
  });

  it.each(['empty', 'nothing/*.jpg', 'a/*.txt'])('and a folder or pattern without any is refused: %s', async (name) => {
    await expect(find(name)).rejects.toThrow(MissingError);
    await expect(find(name)).rejects.toThrow(`${name} names no image`);
  });
});

describe('predictions are written', () => {
  const rows: readonly Prediction[] = [
    { image: 'photos/a, "b".jpg', className: 'cat', probabilities: [0.75, 0.25], problem: null },
    { image: 'photos/c.webp', className: null, probabilities: [], problem: 'it is WebP' },
  ];
  const text = (output: PredictionOutput, columns: number | null = null, classNames = ['cat', 'RedPanda']): string => {
    const format = predictionFormat(output, { classNames, paths: rows.map(({ image }) => image), columns });
    return format.head + rows.map((row) => format.row(row)).join('') + format.foot;
  };

  it('as CSV, with quotes where a cell needs them', () => {
    expect(text('csv')).toBe(
      'image,class,problem,p_cat,p_RedPanda\n"photos/a, ""b"".jpg",cat,,0.75,0.25\nphotos/c.webp,,it is WebP,,\n',
    );
  });

  it('as JSON lines, by class, whose names are unchanged', () => {
    const [first, second] = text('jsonl')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(first).toEqual({
      image: 'photos/a, "b".jpg',
      class_name: 'cat',
      probabilities: { cat: 0.75, RedPanda: 0.25 },
      problem: null,
    });
    expect(second).toMatchObject({ class_name: null, probabilities: {}, problem: 'it is WebP' });
  });

  it('as one JSON object', () => {
    expect(JSON.parse(text('json'))).toEqual({
      class_names: ['cat', 'RedPanda'],
      predictions: [
        { image: 'photos/a, "b".jpg', class_name: 'cat', probabilities: [0.75, 0.25], problem: null },
        { image: 'photos/c.webp', class_name: null, probabilities: [], problem: 'it is WebP' },
      ],
    });
  });

  it('as a table, whose paths are cut at their beginning on a narrow terminal', () => {
    expect(text('table')).toBe(
      [
        'image              class          cat  RedPanda',
        'photos/a, "b".jpg  cat        75.00 %   25.00 %',
        'photos/c.webp      –         (it is WebP)',
        '',
      ].join('\n'),
    );
    for (const line of text('table', 44).split('\n')) expect(line.length).toBeLessThanOrEqual(43);
    expect(text('table', 44)).toContain('…s/a, "b".jpg');
  });

  it('as a table of the most probable classes if there are many', () => {
    const many = ['a', 'b', 'c', 'd', 'e'];
    const format = predictionFormat('table', { classNames: many, paths: ['x.jpg'], columns: 80 });
    const row = format.row({
      image: 'x.jpg',
      className: 'd',
      probabilities: [0.1, 0.2, 0.05, 0.6, 0.05],
      problem: null,
    });
    expect(row).toBe('x.jpg  d      d 60.00 %, b 20.00 %, a 10.00 %\n');
  });

  it('into a file that gets its name at the end, or not at all', async () => {
    const path = join(folder, 'out', 'p.csv');
    const sink = await fileSink(path, '--out');
    sink.write('half');
    expect(readdirSync(join(folder, 'out'))).not.toContain('p.csv');
    sink.discard();
    expect(readdirSync(join(folder, 'out'))).toEqual([]);
    const whole = await fileSink(path, '--out');
    whole.write('a');
    whole.write('b');
    whole.finish();
    whole.discard();
    expect(readFileSync(path, 'utf8')).toBe('ab');
    expect(readdirSync(join(folder, 'out'))).toEqual(['p.csv']);
  });

  it('to a full disk with a sentence', async () => {
    const sink = await fileSink('/dev/full', '--out');
    expect(() => sink.write('x')).toThrow("/dev/full can't be written: /dev/full is on a full disk; free some space.");
    sink.discard();
  });

  it('whole, or not at all where the system writes only its beginning', () => {
    const { script, execArgv } = nodeProgram('cli/terminal/result-sink');
    const source = `const { fileSink } = await import(${JSON.stringify(script)});
      const sink = await fileSink(${JSON.stringify(join(folder, 'long.csv'))}, '--out');
      try { sink.write('x'.repeat(3e6)); sink.finish(); } catch (error) { process.stdout.write(error.message); }`;
    const args = [...execArgv, '--input-type=module', '--eval', source];
    const limited = spawnSync('bash', ['-c', 'ulimit -f 2000; exec "$0" "$@"', process.execPath, ...args], {
      encoding: 'utf8',
    });
    expect(limited.stdout, limited.stderr).toContain("long.csv can't be written: ");
  });
});
