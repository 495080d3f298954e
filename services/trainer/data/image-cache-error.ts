/** An image file isn't what the manifest says any more, or the cache file can't be made or read. */
export class ImageCacheError extends Error {
  override readonly name = 'ImageCacheError';
  readonly path: string;

  constructor(path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }
}
