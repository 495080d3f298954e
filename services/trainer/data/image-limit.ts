/**
 * Pixels that an image may have by default: 178,956,970, at which Pillow too refuses one as a decompression bomb. Decoded, it
 * takes 0.5 GB (3 bytes a pixel; a progressive JPEG three times that while it is decoded), in each process that decodes.
 */
export const DEFAULT_MAX_IMAGE_PIXELS = 178_956_970;

export const MAX_IMAGE_PIXELS_SETTING = 'GRAFT_MAX_IMAGE_PIXELS';

/** No decoder goes beyond: TensorFlow refuses larger images. */
export const MOST_IMAGE_PIXELS = 2 ** 29 - 1;

/**
 * Pixels that an image may have, from the environment: workers, decoding processes and the tool behind `graft dataset check`
 * and `graft predict` all have it from there, so that they judge alike.
 *
 * @throws Error that names the setting.
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
