import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FeatureSetRef } from '../../../../services/core/task.ts';
import { ArtifactCache } from '../../../../services/platform/artifacts/artifact-cache.ts';
import { DirectoryArtifactStore } from '../../../../services/platform/artifacts/directory-artifact-store.ts';
import { bytesPerImage, openFeatureRows } from '../../../../services/trainer/training/feature-file.ts';
import type { FeatureLayout } from '../../../../services/trainer/training/feature-file.ts';
import {
  findStoredFeatures,
  partImagesOf,
  storeFeatures,
} from '../../../../services/trainer/training/feature-parts.ts';
import { FILE_DAMAGES, damageFile } from '../../../support/damage-file.ts';

const KEY = 'a'.repeat(64);
const LAYOUT: FeatureLayout = { key: KEY, dtype: 'F32', shape: [2, 3], imageCount: 10, partImages: 4 };
const WIDTH = 6;

const valuesOf = (image: number): number[] => Array.from({ length: WIDTH }, (_, index) => image + index / 8);

describe('feature sets in parts', () => {
  let root: string;
  let artifacts: DirectoryArtifactStore;
  let computed: number[];

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'graft-parts-'));
    artifacts = new DirectoryArtifactStore(root);
    computed = [];
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  /** Computes two images at a time; throws at `diesAt`, as a killed process would end. */
  const compute = (diesAt = Infinity) =>
    async function* (start: number, end: number): AsyncGenerator<Float32Array> {
      for (let image = start; image < end; image += 2) {
        if (image >= diesAt) throw new Error('killed');
        computed.push(image);
        yield await Promise.resolve(Float32Array.from([image, image + 1].flatMap(valuesOf)));
      }
    };
  const path = (name: string): string => join(root, 'features', name);
  const undisturbed = async (layout = LAYOUT): Promise<Buffer> => {
    const { uri } = await storeFeatures(artifacts, layout, compute());
    const bytes = readFileSync(artifacts.localPath(uri));
    await artifacts.remove(uri);
    computed = [];
    return bytes;
  };
  const refOf = (stored: { uri: string; sha256: string; sizeBytes: number }): FeatureSetRef => ({
    datasetDigest: 'd',
    split: 'train',
    backbone: 'vgg16',
    weightsDigest: 'w',
    cut: null,
    imageSize: 32,
    pooling: 'none',
    dtype: 'float32',
    key: KEY,
    shape: LAYOUT.shape,
    rowCount: LAYOUT.imageCount,
    ...stored,
  });

  it('resumes after the last stored part, with the file of an undisturbed extraction', async () => {
    const wanted = await undisturbed();
    await expect(storeFeatures(artifacts, LAYOUT, compute(9 - 1))).rejects.toThrow('killed');
    expect(computed).toEqual([0, 2, 4, 6]);
    expect(readdirSync(path(`${KEY}.parts`))).toEqual(['00000000', '00000004']);
    computed = [];
    const stored = await storeFeatures(artifacts, LAYOUT, compute());
    expect(computed).toEqual([8]);
    expect(readFileSync(artifacts.localPath(stored.uri)).equals(wanted)).toBe(true);
    expect(readdirSync(path(`${KEY}.parts`))).toEqual([]);
  });

  it('recomputes a damaged part', async () => {
    const wanted = await undisturbed();
    await expect(storeFeatures(artifacts, LAYOUT, compute(8))).rejects.toThrow('killed');
    const part = path(`${KEY}.parts/00000004`);
    const bytes = readFileSync(part);
    bytes.writeUInt8(bytes.readUInt8(5) ^ 1, 5);
    writeFileSync(part, bytes);
    computed = [];
    const stored = await storeFeatures(artifacts, LAYOUT, compute());
    expect(computed).toEqual([4, 6, 8]);
    expect(readFileSync(artifacts.localPath(stored.uri)).equals(wanted)).toBe(true);
  });

  it.each(FILE_DAMAGES)(
    'computes a part again that was damaged before the whole file was put together (%s)',
    async (damage) => {
      const whole = await storeFeatures(artifacts, LAYOUT, compute());
      await artifacts.remove(whole.uri);
      const starts: number[] = [];
      const stored = await storeFeatures(artifacts, LAYOUT, (start, end) => {
        starts.push(start);
        const first = artifacts.localPath(`features/${LAYOUT.key}.parts/00000000`);
        if (starts.length === 2) damageFile(first, damage);
        return compute()(start, end);
      });
      expect(stored).toEqual(whole);
      expect(starts).toEqual([0, 4, 8, 0]);
    },
  );

  it('adopts a complete file that was not registered, and removes a damaged one', async () => {
    const stored = await storeFeatures(artifacts, LAYOUT, compute());
    expect(await findStoredFeatures(artifacts, LAYOUT)).toEqual(stored);
    const file = artifacts.localPath(stored.uri);
    const bytes = readFileSync(file);
    for (const damaged of [
      Buffer.concat([bytes.subarray(0, -1), Buffer.of((bytes.at(-1) ?? 0) ^ 1)]),
      bytes.subarray(0, -4),
      Buffer.concat([bytes, Buffer.of(0)]),
      Buffer.from(bytes.toString('latin1').replace('"key":"a', '"key":"b'), 'latin1'),
      Buffer.from('rubbish'),
      Buffer.alloc(0),
    ]) {
      writeFileSync(file, damaged);
      expect(await findStoredFeatures(artifacts, LAYOUT)).toBeNull();
      expect(await artifacts.stat(stored.uri)).toBeNull();
    }
  });

  it('returns its rows in any order, and refuses bytes with another digest', async () => {
    const stored = await storeFeatures(artifacts, LAYOUT, compute());
    const cache = new ArtifactCache({ store: artifacts, folder: join(root, 'cache'), maxBytes: 0 });
    const rows = await openFeatureRows(cache, refOf(stored));
    expect(rows).toMatchObject({ rowCount: 10, shape: [2, 3], float32Bytes: 240 });
    expect([...rows.read([7, 2, 3, 4, 9])]).toEqual([7, 2, 3, 4, 9].flatMap(valuesOf));
    rows.close();
    const file = artifacts.localPath(stored.uri);
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 3) ^ 1, bytes.length - 3);
    writeFileSync(file, bytes);
    await expect(openFeatureRows(cache, refOf(stored))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await artifacts.remove(stored.uri);
    await expect(openFeatureRows(cache, refOf(stored))).rejects.toMatchObject({ code: 'FEATURES_MISSING' });
  });

  it('stores half precision in half the bytes', async () => {
    const layout = { ...LAYOUT, dtype: 'F16' } as const;
    expect(bytesPerImage(layout)).toBe(12);
    const stored = await storeFeatures(artifacts, layout, compute());
    const cache = new ArtifactCache({ store: artifacts, folder: join(root, 'cache'), maxBytes: 0 });
    const rows = await openFeatureRows(cache, refOf(stored));
    // Multiples of 1/8 are exact in half precision.
    expect([...rows.read([3, 9])]).toEqual([3, 9].flatMap(valuesOf));
    rows.close();
  });

  it('has parts of whole batches that fit in memory', () => {
    expect(partImagesOf({ dtype: 'F32', shape: [512] }, 32)).toBe(128);
    expect(partImagesOf({ dtype: 'F32', shape: [90, 90, 64] }, 32)).toBe(32);
    expect(partImagesOf({ dtype: 'F32', shape: [180, 180, 64] }, 32)).toBe(32);
  });
});
