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
