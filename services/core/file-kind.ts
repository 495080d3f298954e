/** Extensions that Keras accepts (`image_dataset_utils.ALLOWLIST_FORMATS`). */
const EXTENSIONS = ['.bmp', '.gif', '.jpeg', '.jpg', '.png'];

/** Formats that are read, for messages. */
export const READ_FORMATS = 'JPEG, PNG, BMP and GIF';

/** Extensions of other image formats, which users put into data sets in the belief that they are read. */
const OTHER_IMAGE_EXTENSIONS = [
  '.webp',
  '.tif',
  '.tiff',
  '.heic',
  '.heif',
  '.avif',
  '.jp2',
  '.jxl',
  '.svg',
  '.ico',
  '.jfif',
  '.raw',
  '.dng',
  '.psd',
  '.tga',
  '.ppm',
  '.pgm',
  '.exr',
];

export type FileKind = 'image' | 'other-image' | 'other' | 'hidden';

/** Classifies a file by its name. */
export function fileKind(name: string): FileKind {
  const lower = name.toLowerCase();
  if (lower.startsWith('.')) return 'hidden';
  if (EXTENSIONS.some((extension) => lower.endsWith(extension))) return 'image';
  return OTHER_IMAGE_EXTENSIONS.some((extension) => lower.endsWith(extension)) ? 'other-image' : 'other';
}
