import { join, normalize } from 'node:path';
import sharp from 'sharp';
import { readRegularFile } from '../../platform/files/read-regular-file.ts';
import type { TestPrediction } from '../../core/task.ts';
import { confidenceOf } from './report-data.ts';
import type { WrongImage } from './report-data.ts';

const THUMBNAIL_PIXELS = 96;

/** Returns a misclassified image with its thumbnail, if the local disk has it. */
export async function showWrong(root: string, prediction: TestPrediction): Promise<WrongImage> {
  const { path, label, predictedLabel } = prediction;
  return { path, label, predictedLabel, confidence: confidenceOf(prediction), thumbnail: await thumbnail(root, path) };
}

/** Returns a small JPEG as a data URL; null if the local disk has no such image. */
export async function thumbnail(root: string, path: string): Promise<string | null> {
  const file = join(root, path);
  // The path comes over the network and must not leave the data set.
  if (!file.startsWith(normalize(`${root}/`))) return null;
  try {
    const jpeg = await sharp(await readRegularFile(file))
      .rotate()
      .flatten({ background: '#ffffff' })
      .resize(THUMBNAIL_PIXELS, THUMBNAIL_PIXELS, { fit: 'inside', withoutEnlargement: true })
      .jpeg({ quality: 80 })
      .toBuffer();
    return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
  } catch {
    return null;
  }
}
