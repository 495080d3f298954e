import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decoderCountFor, runDecoders } from '../../../../services/trainer/data/decoder-pool.ts';
import { checkFiles } from '../../../../services/trainer/data/check-cache.ts';
import { ImageCacheError } from '../../../../services/trainer/data/image-cache-error.ts';
import type { ImageCache } from '../../../../services/trainer/data/image-cache.ts';
import { openImageCache } from '../../../../services/trainer/data/image-cache.ts';
import { indexDataset } from '../../../../services/trainer/data/index-dataset.ts';
import type { IndexedDataset } from '../../../../services/trainer/data/manifest.ts';
import { threadCount } from '../../../../services/trainer/engine/engine.ts';
import { writeFiles } from '../../../support/picture.ts';

const SIZE = 16;
const JOB_IMAGES = 32;
/** More than two jobs of 32. */
const IMAGE_COUNT = 70;

describe('decoding in several processes', () => {
  let folder: string;
  let root: string;
  let indexed: IndexedDataset;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'graft-decoders-'));
    root = join(folder, 'data');
    const names = Array.from(
      { length: IMAGE_COUNT },
      (_, index) => `train/${index % 2 === 0 ? 'a' : 'b'}/${index}.jpg`,
    );
    const others = ['validation', 'test'].flatMap((split) => [`${split}/a/1.jpg`, `${split}/b/1.png`]);
    await writeFiles(root, Object.fromEntries([...names, ...others].map((name) => [name, null])));
    const source = { path: root, splitFractions: null, allowDuplicates: false, skipBadFiles: false };
    indexed = await indexDataset({ source, cacheDir: join(folder, 'index') });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** Returns the file of decoded images and the reported progress. */
  async function decode(decoderCount: number): Promise<{ readonly file: Buffer; readonly done: readonly number[] }> {
    const cacheDir = join(folder, `cache-${decoderCount}`);
    const done: number[] = [];
    const onProgress = (progress: { readonly done: number }): unknown => done.push(progress.done);
    const cache = await openImageCache({ ...indexed, split: 'train', size: SIZE, cacheDir, decoderCount, onProgress });
    cache.close();
    const images = join(cacheDir, 'images');
    expect(readdirSync(images)).toHaveLength(1);
    return { file: readFileSync(join(images, readdirSync(images)[0] ?? '')), done };
  }

  it('writes the same file as one process, and reports progress', async () => {
    const [alone, together] = [await decode(1), await decode(2)];
    expect(together.file.equals(alone.file)).toBe(true);
    expect(together.done).toHaveLength(3);
    expect(together.done.at(-1)).toBe(IMAGE_COUNT);
  });

  it('checks files as one process does, including bad ones', async () => {
    writeFileSync(join(root, 'train/a/0.jpg'), 'no picture');
    const cut = readFileSync(join(root, 'train/b/1.jpg'));
    writeFileSync(join(root, 'train/b/1.jpg'), cut.subarray(0, cut.length / 2));
    rmSync(join(root, 'train/a/2.jpg'));
    const paths = indexed.images.map(({ path }) => path);
    const check = (decoderCount: number) =>
      checkFiles({ root, paths, cacheDir: join(folder, `checks-${decoderCount}`), decoderCount });
    const [alone, together] = [await check(1), await check(2)];
    expect([...together]).toEqual([...alone]);
    expect([...together.values()].filter(({ problem }) => problem !== null)).toHaveLength(3);
  });

  it('reports the error of the image, and leaves no file', async () => {
    writeFileSync(join(root, 'train/b/5.jpg'), 'changed');
    const failure = await decode(2).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ImageCacheError);
    expect(String(failure)).toContain('train/b/5.jpg was changed after the data set was indexed');
    expect(readdirSync(join(folder, 'cache-2', 'images'))).toEqual([]);
  });

  describe('that is not awaited', () => {
    const open = (decoderCount: number): Promise<ImageCache> =>
      openImageCache({
        ...indexed,
        split: 'train',
        size: SIZE,
        cacheDir: join(folder, 'early'),
        decoderCount,
        beforeDecoded: true,
      });
    const files = (): readonly string[] => readdirSync(join(folder, 'early', 'images'));
    const pixels = (cache: ImageCache, indices: readonly number[]): Float32Array => {
      const images = cache.read(indices);
      const values = images.dataSync<'float32'>();
      images.dispose();
      return values;
    };

    it('reads the first images while others are missing, and finally all of them', async () => {
      const cache = await open(1);
      await cache.decoded(JOB_IMAGES);
      expect(files()).toEqual([expect.stringMatching(/\.part$/)]);
      const early = pixels(cache, [0, JOB_IMAGES - 1]);
      // Zeros are not a valid row of any image, so it is decoded immediately.
      const ahead = pixels(cache, [IMAGE_COUNT - 1]);
      cache.close();
      await expect.poll(files).toEqual([]);

      const { file } = await decode(1);
      const whole = await open(2);
      await whole.decoded(IMAGE_COUNT);
      expect(files()).toEqual([expect.stringMatching(/\.f32$/)]);
      expect(readFileSync(join(folder, 'early', 'images', files()[0] ?? '')).equals(file)).toBe(true);
      expect(pixels(whole, [0, JOB_IMAGES - 1])).toEqual(early);
      expect(pixels(whole, [IMAGE_COUNT - 1])).toEqual(ahead);
      whole.close();
    });

    it('leaves no file when it is cancelled', async () => {
      const cache = await open(2);
      expect(files()).toHaveLength(1);
      cache.close();
      await expect(cache.decoded(IMAGE_COUNT)).rejects.toThrow('aborted');
      expect(files()).toEqual([]);
    });

    it('reports a changed image to the caller that waits for it, and to none before', async () => {
      writeFileSync(join(root, 'train/b/65.jpg'), 'changed');
      const last = indexed.images.findIndex(({ path }) => path === 'train/b/65.jpg');
      const cache = await open(1);
      await cache.decoded(JOB_IMAGES);
      expect(last).toBeGreaterThanOrEqual(JOB_IMAGES);
      await expect(cache.decoded(IMAGE_COUNT)).rejects.toThrow(
        'train/b/65.jpg was changed after the data set was indexed',
      );
      expect(files()).toEqual([]);
      cache.close();
    });
  });

  it('fails when a process is killed, and leaves no process behind', async () => {
    const decoderProcesses = (): string[] => {
      const all = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' });
      return all.split('\n').filter((line) => line.includes('decoder-process'));
    };
    const jobs = Array.from({ length: 40 }, () => ({ kind: 'check', root, paths: ['train/a/0.jpg'] }) as const);
    let killed = 0;
    const work = runDecoders(jobs, 2, () => {
      if (killed !== 0) return;
      killed = Number.parseInt(decoderProcesses()[0] ?? '', 10);
      process.kill(killed, 'SIGKILL');
    });
    await expect(work).rejects.toThrow('A decoder process ended with SIGKILL');
    await expect.poll(decoderProcesses).toEqual([]);
  });

  it('uses as many processes as threads and work allow', () => {
    expect(decoderCountFor(0)).toBe(1);
    expect(decoderCountFor(1_999)).toBe(1);
    expect(decoderCountFor(1_000_000)).toBe(Math.min(threadCount, 8));
  });
});
