import {
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ImageCacheError } from '../../../../services/trainer/data/image-cache-error.ts';
import { openImageCache } from '../../../../services/trainer/data/image-cache.ts';
import type { ImageCache } from '../../../../services/trainer/data/image-cache.ts';
import { indexDataset } from '../../../../services/trainer/data/index-dataset.ts';
import type { IndexedDataset } from '../../../../services/trainer/data/manifest.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import { writeFiles } from '../../../support/picture.ts';

const SIZE = 16;
const ROW_BYTES = SIZE * SIZE * 3 * 4;

describe('openImageCache', () => {
  let folder: string;
  let cacheDir: string;
  let indexed: IndexedDataset;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'graft-images-'));
    cacheDir = join(folder, 'cache');
    const root = join(folder, 'data');
    for (const split of ['train', 'validation', 'test']) {
      await writeFiles(root, { [`${split}/a/1.jpg`]: null, [`${split}/a/2.png`]: null, [`${split}/b/1.jpg`]: null });
    }
    const source = { path: root, splitFractions: null, allowDuplicates: false, skipBadFiles: false };
    indexed = await indexDataset({ source, cacheDir });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function open(done: number[] = []): Promise<ImageCache> {
    const onProgress = ({ done: count }: { readonly done: number }): unknown => done.push(count);
    return openImageCache({ ...indexed, split: 'train', size: SIZE, cacheDir, onProgress });
  }

  function cacheFile(): string {
    return join(cacheDir, 'images', readdirSync(join(cacheDir, 'images'))[0] ?? '');
  }

  function damage(offset: number): void {
    const file = openSync(cacheFile(), 'r+');
    writeSync(file, Buffer.from([1, 2, 3]), 0, 3, offset);
    closeSync(file);
  }

  function read(cache: ImageCache, indices: readonly number[]): Float32Array {
    const images = cache.read(indices);
    expect(images.shape).toEqual([indices.length, SIZE, SIZE, 3]);
    const values = images.dataSync<'float32'>();
    images.dispose();
    return values;
  }

  it('decodes once and then reads images in any order', async () => {
    const done: number[] = [];
    const first = await open(done);
    expect(done).toEqual([3]);
    const all = read(first, [0, 1, 2]);
    first.close();
    const again = await open(done);
    expect(done).toEqual([3]);
    expect([...again.labels]).toEqual([0, 0, 1]);
    expect(again.paths).toEqual(['train/a/1.jpg', 'train/a/2.png', 'train/b/1.jpg']);
    const length = SIZE * SIZE * 3;
    const mixed = read(again, [2, 0, 2]);
    expect(mixed.subarray(0, length)).toEqual(all.subarray(2 * length));
    expect(mixed.subarray(length, 2 * length)).toEqual(all.subarray(0, length));
    expect(mixed.subarray(2 * length)).toEqual(all.subarray(2 * length));
    expect(Math.max(...all)).toBeLessThanOrEqual(255);
    again.close();
  });

  it('disposes of its tensors', async () => {
    const tensors = tf.memory().numTensors;
    const cache = await open();
    read(cache, [0, 1]);
    cache.close();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('can be built twice concurrently and leaves one file', async () => {
    const caches = await Promise.all([open(), open()]);
    expect(read(caches[0], [0, 1, 2])).toEqual(read(caches[1], [0, 1, 2]));
    for (const cache of caches) cache.close();
    expect(readdirSync(join(cacheDir, 'images'))).toHaveLength(1);
  });

  it.each([
    ['a row', () => 64 + ROW_BYTES + 10],
    ['the checksum of a row', () => 64 + 3 * ROW_BYTES + 5],
  ])('decodes an image again whose bytes are damaged, once: %s', async (_what, offset) => {
    const whole = await open();
    const right = read(whole, [0, 1, 2]);
    whole.close();
    const before = readFileSync(cacheFile());
    damage(offset());
    const done: number[] = [];
    const cache = await open(done);
    expect(read(cache, [0, 1, 2])).toEqual(right);
    cache.close();
    // Only this image was decoded again, and it was written back.
    expect(done).toEqual([]);
    expect(readFileSync(cacheFile())).toEqual(before);
  });

  it('decodes rows again that are damaged or truncated while the file is open', async () => {
    const cache = await open();
    const right = read(cache, [0]);
    const before = read(cache, [1, 2]);
    damage(64 + ROW_BYTES + 10);
    truncateSync(cacheFile(), 64 + 2 * ROW_BYTES + 100);
    // The last row first: its repair leaves a hole in front of it.
    read(cache, [2]);
    const all = read(cache, [1, 2]);
    cache.close();
    expect(all).toEqual(before);
    rmSync(cacheFile());
    const renewed = await open();
    expect(all).toEqual(read(renewed, [1, 2]));
    expect(right).toEqual(read(renewed, [0]));
    renewed.close();
  });

  it('refuses to repair a row from an image that changed', async () => {
    (await open()).close();
    damage(64 + ROW_BYTES + 10);
    writeFileSync(join(folder, 'data/train/a/2.png'), 'changed');
    const cache = await open();
    expect(() => cache.read([1])).toThrow(/train\/a\/2\.png was changed after the data set was indexed/);
    cache.close();
  });

  it('rebuilds a file that is truncated or belongs to other images', async () => {
    (await open()).close();
    const size = statSync(cacheFile()).size;
    for (const damaged of [Buffer.alloc(100), Buffer.alloc(size)]) {
      writeFileSync(cacheFile(), damaged);
      const done: number[] = [];
      const cache = await open(done);
      expect(done).toEqual([3]);
      read(cache, [0, 1, 2]);
      cache.close();
    }
  });

  it('refuses an image that changed after indexing', async () => {
    writeFileSync(join(folder, 'data/train/a/1.jpg'), 'changed');
    const failure = await open().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ImageCacheError);
    expect(String(failure)).toContain('train/a/1.jpg was changed after the data set was indexed');
    expect(readdirSync(join(cacheDir, 'images'))).toEqual([]);
  });

  it('names an image that is missing', async () => {
    rmSync(join(folder, 'data/train/b/1.jpg'));
    await expect(open()).rejects.toThrow(/train\/b\/1\.jpg was indexed, but can't be read now/);
  });

  it('refuses indices out of range, and reading after it was closed', async () => {
    const cache = await open();
    expect(() => cache.read([3])).toThrow('the split has 3 images');
    expect(() => cache.read([-1])).toThrow(RangeError);
    cache.close();
    expect(() => cache.read([0])).toThrow('is already closed');
  });
});
