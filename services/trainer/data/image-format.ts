/** Extensions that Keras accepts (`image_dataset_utils.ALLOWLIST_FORMATS`). */
const EXTENSIONS = ['.bmp', '.gif', '.jpeg', '.jpg', '.png'];

/** Extensions of other image formats, which users put into data sets in the belief that they are read. */
const OTHER_IMAGE_EXTENSIONS = [
  '.webp',
  '.tif',
  '.tiff',
  '.heic',
  '.heif',
  '.avif',
  '.jp2',
  '.svg',
  '.ico',
  '.jfif',
  '.raw',
];

export type FileKind = 'image' | 'other-image' | 'other' | 'hidden';

/** Classifies a file by its name. */
export function fileKind(name: string): FileKind {
  const lower = name.toLowerCase();
  if (lower.startsWith('.')) return 'hidden';
  if (EXTENSIONS.some((extension) => lower.endsWith(extension))) return 'image';
  return OTHER_IMAGE_EXTENSIONS.some((extension) => lower.endsWith(extension)) ? 'other-image' : 'other';
}

/**
 * Returns the format that the first bytes identify if TensorFlow does not decode it; null otherwise. WebP and JPEG XL
 * are not included: TensorFlow decodes them under an accepted extension, and so Keras trains on them.
 */
export function foreignFormat(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString('latin1');
  if (head.startsWith('II*\0') || head.startsWith('MM\0*')) return 'TIFF';
  if (head.slice(4, 8) === 'ftyp') return /avi[fs]/.test(head.slice(8, 32)) ? 'AVIF' : 'HEIF or a video';
  if (head.startsWith('\0\0\0\fjP')) return 'JPEG 2000';
  if (/^\s*(<\?xml|<svg)/i.test(head)) return 'SVG or XML';
  if (/^\s*<(!doctype|html)/i.test(head)) return 'HTML';
  if (head.startsWith('%PDF')) return 'PDF';
  return null;
}
