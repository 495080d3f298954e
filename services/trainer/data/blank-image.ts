import type { Tensor } from '../engine/engine.ts';
import { alphaRange, channelRange, deepRange } from './decode-image.ts';
import type { ChannelRange } from './decode-image.ts';
import type { ImageHeader } from './image-header.ts';

/**
 * Largest range of a channel's values (of 255) at which an image counts as blank. 12-bit values stored in 16-bit files
 * decode to 0 to 15; a photographed sheet of paper has JPEG noise of about 4.
 */
const MAX_SPREAD = 15;
/** Largest value at which an image with 16-bit channels counts as black. 14-bit values decode to 0 to 63. */
const MAX_DEEP_VALUE = 63;
/** Largest image whose cause is determined: that decodes the file again, at up to 12 bytes a pixel. */
const MAX_CAUSE_PIXELS = 16_000_000;

/** An image that shows nearly one colour when decoded as Keras decodes it. */
export interface BlankImage {
  /** Smallest and largest value over all channels, 0 to 255. */
  readonly low: number;
  readonly high: number;
  /** A sentence that names the likely cause; empty if unknown. */
  readonly cause: string;
}

/**
 * Detects a blank image. The cells alone rule out nearly all images at no cost; pixels are compared only if the cells
 * are alike (a texture, a plain surface).
 *
 * @param contents the encoded file, to determine the cause.
 * @param pixels height × width × 3 uint8.
 * @param cells area averages, RGB, 0 to 255.
 * @returns null if the image is not blank.
 */
export function findBlank(
  contents: Uint8Array,
  header: ImageHeader | null,
  pixels: Tensor,
  cells: Float32Array,
): BlankImage | null {
  const isDeep = header?.bitDepth === 16;
  const inCells = cellRange(cells);
  if (spreadOf(inCells) > MAX_SPREAD && !(isDeep && highOf(inCells) <= MAX_DEEP_VALUE)) return null;
  const range = channelRange(pixels);
  if (spreadOf(range) > MAX_SPREAD && !(isDeep && highOf(range) <= MAX_DEEP_VALUE)) return null;
  return { low: Math.min(...range.low), high: highOf(range), cause: causeOf(contents, header) };
}

function causeOf(contents: Uint8Array, header: ImageHeader | null): string {
  if (header?.format !== 'PNG' || header.pixelCount > MAX_CAUSE_PIXELS) return '';
  const alpha = alphaRange(contents);
  if (alpha !== null && spreadOf(alpha) > MAX_SPREAD) {
    return 'The picture is in its transparency (alpha channel), which is not read: put it on a background first.';
  }
  if (header.bitDepth !== 16) return '';
  const deep = deepRange(contents);
  if (deep === null || spreadOf(deep) <= MAX_SPREAD) return '';
  return (
    `Its 16-bit values end at ${highOf(deep).toLocaleString('en')} of 65,535, and of each only the upper 8 bits are read: ` +
    'scale them up, or store 8 bits.'
  );
}

function cellRange(cells: Float32Array): ChannelRange {
  const low = new Float32Array(3).fill(255);
  const high = new Float32Array(3);
  for (const [place, value] of cells.entries()) {
    const channel = place % 3;
    low[channel] = Math.min(low[channel] ?? 0, value);
    high[channel] = Math.max(high[channel] ?? 0, value);
  }
  return { low, high };
}

function spreadOf({ low, high }: ChannelRange): number {
  return Math.max(...high.map((value, channel) => value - (low[channel] ?? 0)));
}

function highOf({ high }: ChannelRange): number {
  return Math.max(...high);
}
