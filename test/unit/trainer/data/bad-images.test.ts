import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../../../services/cli/terminal/exit-codes.ts';
import type { DatasetProblem } from '../../../../services/core/dataset.ts';
import { openImageCache } from '../../../../services/trainer/data/image-cache.ts';
import { DatasetInvalidError, indexDataset } from '../../../../services/trainer/data/index-dataset.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import { writeFiles } from '../../../support/picture.ts';
import { badImages } from './bad-images.ts';
import type { BadImage } from './bad-images.ts';
import { checkWithCli } from './check-folder.ts';

const GOOD = ['train/cat', 'train/dog', 'validation/cat', 'validation/dog', 'test/cat', 'test/dog'];
const CLASS_FOLDER = 'train/cat';
const CACHE_SIZE = 32;

describe('a folder with bad images', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-bad-images-'));
  const root = join(folder, 'data');
  const cacheDir = join(folder, 'cache');
  const source = { path: root, splitFractions: null, allowDuplicates: false, skipBadFiles: false };
  let images: readonly BadImage[];

  beforeAll(async () => {
    images = await badImages();
    await writeFiles(root, Object.fromEntries(GOOD.map((path) => [`${path}/good.jpg`, null])));
    for (const { name, bytes } of images) writeFileSync(join(root, CLASS_FOLDER, name), bytes);
    mkdirSync(join(root, CLASS_FOLDER, 'folder.jpg'));
    execFileSync('mkfifo', [join(root, CLASS_FOLDER, 'pipe.jpg')]);
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  /** Asserts that each bad file is reported once with its reason, and that good and unusual files are not. */
  function expectReported(problems: readonly DatasetProblem[], fatal: boolean): void {
    const bad = images
      .filter(({ problem, isBlank }) => problem !== null || isBlank)
      .map(({ name }) => `${CLASS_FOLDER}/${name}`);
    expect(problems.map(({ path }) => path).sort()).toEqual([...bad, `${CLASS_FOLDER}/pipe.jpg`].sort());
    for (const { name, problem, isBlank } of images) {
      const found = problems.find(({ path }) => path === `${CLASS_FOLDER}/${name}`);
      if (isBlank) expect(found).toMatchObject({ code: 'BLANK_IMAGE', fatal: false });
      if (problem === null) continue;
      expect(found).toMatchObject({ code: problem.code, fatal });
      expect(found?.message).toContain(`"${CLASS_FOLDER}/${name}"`);
      expect(found?.message).toMatch(problem.message);
      expect(found?.message).toContain(fatal ? 'set skip_bad_files' : 'left out');
    }
    expect(problems.find(({ path }) => path.endsWith('pipe.jpg'))).toMatchObject({ code: 'UNREADABLE', fatal });
  }

  it('reports each file', async () => {
    const tensors = tf.memory().numTensors;
    const failure = await indexDataset({ source, cacheDir }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DatasetInvalidError);
    expectReported((failure as DatasetInvalidError).problems, true);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('keeps the files that TensorFlow decodes when bad files are skipped', async () => {
    const indexed = await indexDataset({ source: { ...source, skipBadFiles: true }, cacheDir });
    expectReported(indexed.dataset.problems, false);
    const accepted = images.filter(({ problem }) => problem === null).map(({ name }) => `${CLASS_FOLDER}/${name}`);
    const train = [...accepted, `${CLASS_FOLDER}/good.jpg`, 'train/dog/good.jpg'].sort();
    const cache = await openImageCache({ ...indexed, split: 'train', size: CACHE_SIZE, cacheDir });
    expect([...cache.paths].sort()).toEqual(train);
    const pixels = cache.read(cache.paths.map((_, index) => index));
    const values = pixels.dataSync();
    pixels.dispose();
    cache.close();
    expect(values).toHaveLength(train.length * CACHE_SIZE * CACHE_SIZE * 3);
    expect(values.every((value) => value >= 0 && value <= 255)).toBe(true);
  });

  it('makes `graft dataset check` report each file and exit cleanly', { timeout: 60_000 }, async () => {
    const { code, out, err } = await checkWithCli(root, folder, ['--output', 'json']);
    expect(code, err).toBe(EXIT.usage);
    const result = JSON.parse(out) as { usable: boolean; problems: DatasetProblem[] };
    expect(result.usable).toBe(false);
    expectReported(result.problems, true);
    expect(err).toMatch(/can't be trained on: \d+ problems/);
  });

  it('passes `graft dataset check --skip-bad-files`', { timeout: 60_000 }, async () => {
    const { code, out, err } = await checkWithCli(root, folder, ['--output', 'json', '--skip-bad-files']);
    expect(code, err).toBe(0);
    const result = JSON.parse(out) as { usable: boolean; dataset: { problems: DatasetProblem[] } };
    expect(result.usable).toBe(true);
    expectReported(result.dataset.problems, false);
  });
});
