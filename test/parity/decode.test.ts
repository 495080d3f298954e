import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openImageCache } from '../../services/trainer/data/image-cache.ts';
import { indexDataset } from '../../services/trainer/data/index-dataset.ts';
import { tf } from '../../services/trainer/engine/engine.ts';
import { readFloats } from './compare.ts';
import { kerasVenv, runPython, skipWithoutKeras } from './keras-venv.ts';
import type { KerasVenv } from './keras-venv.ts';
import { recordParity } from './table.ts';

interface Recording {
  readonly sizes: readonly {
    readonly size: number;
    readonly paths: readonly string[];
    readonly labels: readonly number[];
  }[];
}

const photos = fileURLToPath(new URL('../../../shared/data/cats-dogs-800/train/cat', import.meta.url));

describe('decoding and resizing against keras.utils.image_dataset_from_directory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-parity-'));
  let venv: KerasVenv;
  let live: Recording | null = null;

  beforeAll(async () => {
    venv = await kerasVenv();
    const photoArguments = existsSync(photos) ? [photos] : [];
    if (photoArguments.length === 0) console.log('The photographs are not here: only made images are compared.');
    if ('python' in venv)
      live = JSON.parse(await runPython(venv.python, 'decode.py', [folder, ...photoArguments])) as Recording;
  }, 600_000);

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.for([180, 61])(
    'gives the same files in the same order with the same pixels at %i pixels',
    async (size, context) => {
      skipWithoutKeras(context, venv);
      const wanted = live?.sizes.find((one) => one.size === size);
      // All images are in the training split: the other fractions are zero.
      const splitFractions = { train: 1, validation: 0, test: 0, seed: 1 };
      const source = { path: join(folder, 'images'), splitFractions, allowDuplicates: false, skipBadFiles: false };
      const cacheDir = join(folder, 'cache');
      const indexed = await indexDataset({ source, cacheDir });
      const cache = await openImageCache({ ...indexed, split: 'train', size, cacheDir });
      expect(cache.paths).toEqual(wanted?.paths);
      expect([...cache.labels]).toEqual(wanted?.labels);
      const images = cache.read(Array.from({ length: cache.count }, (_, index) => index));
      const values = images.dataSync<'float32'>();
      tf.dispose(images);
      cache.close();
      const pixels = readFloats(join(folder, `pixels-${size}.f32`));
      const error = values.reduce((most, value, index) => Math.max(most, Math.abs(value - (pixels[index] ?? NaN))), 0);
      const figure = { point: '2 images', check: 'decode and resize, of 255', family: 'all formats' } as const;
      recordParity({ ...figure, size, maxError: error, limit: 0 });
      expect(Buffer.from(values.buffer).equals(Buffer.from(pixels.buffer))).toBe(true);
    },
  );
});
