/**
 * Fault of this machine's files: the image is missing, differs from the indexed one, or the disk has no room for the
 * cache.
 */
export type ImageFault = 'MISSING' | 'CHANGED' | 'SPACE';

/** Thrown when an image file no longer matches the manifest, or the cache file can't be written or read. */
export class ImageCacheError extends Error {
  override readonly name = 'ImageCacheError';
  readonly path: string;
  /** null if the cache file itself is at fault. */
  readonly fault: ImageFault | null;

  constructor(path: string, message: string, options: ErrorOptions & { readonly fault?: ImageFault | null } = {}) {
    super(message, options);
    this.path = path;
    this.fault = options.fault ?? null;
  }
}
