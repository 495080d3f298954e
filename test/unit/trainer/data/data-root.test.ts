import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PathOutsideError, requireInside } from '../../../../services/trainer/data/data-root.ts';
import { indexDataset } from '../../../../services/trainer/data/index-dataset.ts';
import { taskErrorOf } from '../../../../services/trainer/training/task-error.ts';
import { readTrainerConfig } from '../../../../services/trainer/config.ts';
import { writeTinyDataset } from '../../../support/tiny-dataset.ts';

let folder: string;
const at = (...parts: readonly string[]): string => join(folder, ...parts);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-data-root-'));
  mkdirSync(at('data', 'pets'), { recursive: true });
  mkdirSync(at('data-more'));
  mkdirSync(at('secret'));
  writeFileSync(at('secret', 'key.h5'), 'x');
  symlinkSync(at('secret'), at('data', 'link-out'));
  symlinkSync('../secret/key.h5', at('data', 'weights.h5'));
  symlinkSync(at('data', 'pets'), at('data', 'link-in'));
  symlinkSync(at('data'), at('other-name'));
  const imagesPerClass = { train: 4, validation: 2, test: 2 };
  await writeTinyDataset(at('data', 'tiny'), { imagesPerClass });
  await writeTinyDataset(at('outside'), { imagesPerClass, seed: 2 });
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('a path of a spec', () => {
  it.each([['data'], ['data/pets'], ['data/pets/../tiny'], ['data/link-in'], ['data/nothing/there'], ['data/..pets']])(
    'may be %s below the data root',
    async (path) => {
      await expect(requireInside(at('data'), at(path), 'dataset.path')).resolves.toBeUndefined();
    },
  );

  it.each([
    ['.'],
    ['secret/key.h5'],
    ['data/../secret'],
    ['data-more'],
    ['data/link-out'],
    ['data/link-out/key.h5'],
    ['data/weights.h5'],
    ['nothing/there'],
  ])('may not be %s', async (path) => {
    const error: unknown = await requireInside(at('data'), at(path), 'weights').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PathOutsideError);
    expect(String(error)).toContain(`weights: "${at(path)}" lies outside ${at('data')}`);
    expect(taskErrorOf(error)).toMatchObject({ errorClass: 'PERMANENT', code: 'PATH_OUTSIDE' });
  });

  it('may be any path when no data root is set', async () => {
    await expect(requireInside(null, '/etc/passwd', 'weights')).resolves.toBeUndefined();
    await expect(requireInside(null, at('data', 'weights.h5'), 'weights')).resolves.toBeUndefined();
  });

  it('is compared with the target of a data root that is a link', async () => {
    await expect(requireInside(at('other-name'), at('other-name', 'pets'), 'dataset.path')).resolves.toBeUndefined();
    await expect(requireInside(at('other-name'), at('other-name', 'link-out'), 'x')).rejects.toThrow(PathOutsideError);
  });
});

describe('a data set below the data root', () => {
  const source = (path: string) => ({ path, splitFractions: null, allowDuplicates: true, skipBadFiles: false });
  const index = (path: string) => indexDataset({ source: source(path), cacheDir: at('cache'), dataRoot: at('data') });

  it('is indexed, while one outside is refused', async () => {
    expect((await index(at('data', 'tiny'))).images).toHaveLength(16);
    await expect(index(at('outside'))).rejects.toThrow(PathOutsideError);
  });

  it('contains no image that is a link to a file outside', async () => {
    rmSync(at('data', 'tiny', 'train', 'red', '000.png'));
    symlinkSync(at('data', 'tiny', 'train', 'red', '001.png'), at('data', 'tiny', 'train', 'red', '000.png'));
    expect((await index(at('data', 'tiny'))).images).toHaveLength(16);
    rmSync(at('data', 'tiny', 'train', 'red', '000.png'));
    symlinkSync(at('outside', 'train', 'red', '000.png'), at('data', 'tiny', 'train', 'red', '000.png'));
    await expect(index(at('data', 'tiny'))).rejects.toThrow(/train\/red\/000\.png" lies outside/);
  });
});

it('requires an absolute path in the setting', () => {
  expect(readTrainerConfig({ GRAFT_DATA_ROOT: '/data' }).dataRoot).toBe('/data');
  expect(() => readTrainerConfig({ GRAFT_DATA_ROOT: 'data' })).toThrow(/GRAFT_DATA_ROOT: must be an absolute path/);
});
