import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Split } from '../../services/core/dataset.ts';
import { createStream } from '../../services/core/rng/stream.ts';

export interface TinyDatasetOptions {
  readonly imagesPerClass?: Readonly<Record<Split, number>>;
  readonly sizePixels?: number;
  readonly seed?: number;
}

/**
 * Writes a data set that a small network can learn in an epoch or two: "blue" and "red" noise pictures as PNG in
 * `<dir>/{train,validation,test}/{blue,red}`. Equal options give equal pictures.
 */
export async function writeTinyDataset(dir: string, options: TinyDatasetOptions = {}): Promise<void> {
  const { imagesPerClass = { train: 16, validation: 8, test: 8 }, sizePixels = 32, seed = 1 } = options;
  for (const [split, count] of Object.entries(imagesPerClass)) {
    for (const [className, tint] of [
      ['blue', [60, 60, 170]],
      ['red', [170, 60, 60]],
    ] as const) {
      const folder = join(dir, split, className);
      await mkdir(folder, { recursive: true });
      for (let index = 0; index < count; index += 1) {
        const random = createStream(seed, split, className, index);
        const pixels = new Uint8Array(sizePixels * sizePixels * 3);
        for (let i = 0; i < pixels.length; i += 1) pixels[i] = (tint[i % 3] ?? 0) + Math.floor(random.uniform() * 80);
        const image = sharp(pixels, { raw: { width: sizePixels, height: sizePixels, channels: 3 } });
        await image.png().toFile(join(folder, `${String(index).padStart(3, '0')}.png`));
      }
    }
  }
}
