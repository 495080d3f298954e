/**
 * Default limit of pixels per image: 178,956,970, at which Pillow also refuses an image as a decompression bomb. Such
 * an image takes 0.5 GB decoded (3 bytes a pixel, and three times that while a progressive JPEG is decoded), in each
 * decoder process.
 */
export const DEFAULT_MAX_IMAGE_PIXELS = 178_956_970;

export const MAX_IMAGE_PIXELS_SETTING = 'GRAFT_MAX_IMAGE_PIXELS';

/** Hard limit: TensorFlow refuses larger images. */
export const MOST_IMAGE_PIXELS = 2 ** 29 - 1;

/**
 * Reads the limit of pixels per image from the environment. Workers, decoder processes and the tool behind `graft
 * dataset check` and `graft predict` all read it there, so they agree.
 *
 * @throws {Error} that names the setting when its value is not in range.
 */
export function maxImagePixels(env: Readonly<Record<string, string | undefined>> = process.env): number {
  const text = env[MAX_IMAGE_PIXELS_SETTING];
  if (text === undefined || text === '') return DEFAULT_MAX_IMAGE_PIXELS;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= MOST_IMAGE_PIXELS) return value;
  throw new Error(
    `${MAX_IMAGE_PIXELS_SETTING}: must be an integer from 1 to ${MOST_IMAGE_PIXELS}, the pixels that an image may have; received '${text}'.`,
  );
}
