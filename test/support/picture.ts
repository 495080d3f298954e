import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { createStream } from '../../services/core/rng/stream.ts';

/** Returns a small picture of noise; equal names give equal bytes. */
export async function pictureBytes(name: string, format: 'jpeg' | 'png' = 'jpeg', size = 24): Promise<Buffer> {
  const random = createStream(1, 'picture', name);
  const pixels = Uint8Array.from({ length: size * size * 3 }, () => random.int(256));
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .toFormat(format)
    .toBuffer();
}

/** Returns a PNG of 200 × 140 pixels with large shapes, as in photographs; equal numbers give equal bytes. */
export async function smoothPicture(number: number): Promise<Buffer> {
  const random = createStream(1, 'smooth', number);
  const pixels = Uint8Array.from({ length: 12 * 8 * 3 }, () => random.int(256));
  return sharp(pixels, { raw: { width: 12, height: 8, channels: 3 } })
    .resize(200, 140, { fit: 'fill', kernel: 'cubic' })
    .png()
    .toBuffer();
}

/** Writes files into a folder: strings are contents; `null` is a picture of noise named by its path. */
export async function writeFiles(
  root: string,
  files: Readonly<Record<string, Uint8Array | string | null>>,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content ?? (await pictureBytes(path, path.endsWith('.png') ? 'png' : 'jpeg')));
  }
}
