/** What about this machine's files is wrong: an image is not there, is not the one that was indexed, or the cache has no room. */
export type ImageFault = 'MISSING' | 'CHANGED' | 'SPACE';

/** An image file isn't what the manifest says any more, or the cache file can't be made or read. */
export class ImageCacheError extends Error {
  override readonly name = 'ImageCacheError';
  readonly path: string;
  /** null: the cache file itself. */
  readonly fault: ImageFault | null;

  constructor(path: string, message: string, options: ErrorOptions & { readonly fault?: ImageFault | null } = {}) {
    super(message, options);
    this.path = path;
    this.fault = options.fault ?? null;
  }
}
