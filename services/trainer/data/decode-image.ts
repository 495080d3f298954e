import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';
import { boolAttribute, executeOp, intAttribute, typeAttribute } from '../engine/op.ts';
import type { DataTypeName, OpAttribute } from '../engine/op.ts';
import { readImageHeader, webpObstacle } from './image-header.ts';
import type { ImageHeader } from './image-header.ts';
import { MAX_IMAGE_PIXELS_SETTING, maxImagePixels } from './image-limit.ts';

/**
 * Thrown for an image that TensorFlow's decoder rejects, or that is too large to decode. `reason` is a clause without
 * decoder noise.
 */
export class ImageDecodeError extends Error {
  override readonly name = 'ImageDecodeError';
  readonly reason: string;
  /** true if the image exceeds `maxImagePixels` and was therefore not decoded. */
  readonly isTooLarge: boolean;

  constructor(reason: string, options: ErrorOptions & { readonly isTooLarge?: boolean } = {}) {
    super(`The image can't be decoded: ${reason}.`, options);
    this.reason = reason;
    this.isTooLarge = options.isTooLarge ?? false;
  }
}

/** A decoded image: height × width × 3 uint8, RGB. tfjs calls its type int32. */
export interface DecodedImage {
  readonly pixels: Tensor;
  /** null if the decoder supports the format but `readImageHeader` does not. */
  readonly header: ImageHeader | null;
}

/**
 * Decodes an image in full, as `keras.utils.image_dataset_from_directory` does: `tf.image.decode_image` to three
 * channels. Transparency is dropped, 16-bit channels are reduced to their upper 8 bits, a GIF yields its first frame,
 * and the EXIF orientation is ignored. An image of more pixels than `maxImagePixels` is refused by its header, before
 * memory is allocated.
 *
 * @returns tensors that the caller owns; a surrounding `tf.tidy` disposes of them.
 * @throws {ImageDecodeError} when the image can't be decoded or is too large.
 */
export function decodeImage(bytes: Uint8Array): DecodedImage {
  const header = readImageHeader(bytes);
  const limit = maxImagePixels();
  if (header !== null && header.pixelCount > limit) {
    throw new ImageDecodeError(tooLargeReason(header, limit), { isTooLarge: true });
  }
  return { pixels: decode(bytes, opAttributes().decode), header };
}

/**
 * Averages an image over a grid of cells.
 *
 * @param pixels the pixels of a `DecodedImage`.
 * @returns height × width × 3 averages from 0 to 255, RGB, row-major.
 */
export function averageCells(pixels: Tensor, height: number, width: number): Float32Array {
  const averages = tf.tidy(() => {
    const target = tf.tensor1d([height, width], 'int32');
    return executeOp('ResizeArea', opAttributes().average, [tf.expandDims<Tensor4D>(pixels, 0), target]);
  });
  const cells = averages.dataSync<'float32'>();
  averages.dispose();
  return cells;
}

/**
 * Decodes an image as `decodeImage` does and averages it over a grid of cells.
 *
 * @throws {ImageDecodeError} when the image can't be decoded or is too large.
 */
export function decodeAndAverage(bytes: Uint8Array, height: number, width: number): Float32Array {
  const { pixels } = decodeImage(bytes);
  const cells = averageCells(pixels, height, width);
  pixels.dispose();
  return cells;
}

/** Smallest and largest value of each channel. */
export interface ChannelRange {
  readonly low: Float32Array;
  readonly high: Float32Array;
}

/** Returns each channel's range over the pixels of a `DecodedImage`. */
export function channelRange(pixels: Tensor): ChannelRange {
  const { range, cast } = opAttributes();
  return rangeOf(pixels, range, cast);
}

/** Returns the range of the alpha channel, which `decodeImage` drops; null if the format has none. */
export function alphaRange(bytes: Uint8Array): ChannelRange | null {
  const { decodeAlpha, range, cast } = opAttributes();
  const all = rangeOfDecoded(bytes, decodeAlpha, range, cast);
  return all === null ? null : { low: all.low.slice(3), high: all.high.slice(3) };
}

/**
 * Returns each channel's range of the original 16-bit values (0 to 65,535), of which `decodeImage` drops the lower 8
 * bits. null if the format has no such values.
 */
export function deepRange(bytes: Uint8Array): ChannelRange | null {
  const { decodeDeep, deepRange: range } = opAttributes();
  const parts = rangeOfDecoded(bytes, decodeDeep, range, null);
  return parts === null ? null : { low: parts.low.map(toDeep), high: parts.high.map(toDeep) };
}

/** Converts TensorFlow's 16-bit values, which are fractions of the maximum. */
function toDeep(value: number): number {
  return Math.round(value * 65_535);
}

/** Returns the range of the pixels as decoded with other attributes; null if the decoder doesn't support them. */
function rangeOfDecoded(
  bytes: Uint8Array,
  attributes: readonly OpAttribute[],
  range: readonly OpAttribute[],
  cast: readonly OpAttribute[] | null,
): ChannelRange | null {
  let pixels: Tensor;
  try {
    pixels = decode(bytes, attributes);
  } catch (error) {
    if (error instanceof ImageDecodeError) return null;
    throw error;
  }
  try {
    return rangeOf(pixels, range, cast);
  } finally {
    pixels.dispose();
  }
}

/**
 * Returns each channel's range. `cast` converts to float32, because tfjs can't read uint8; null if the pixels are
 * float32.
 */
function rangeOf(pixels: Tensor, range: readonly OpAttribute[], cast: readonly OpAttribute[] | null): ChannelRange {
  const ends = tf.tidy(() => {
    const axes = tf.tensor1d([0, 1], 'int32');
    const found = ['Min', 'Max'].map((op) => executeOp(op, range, [pixels, axes]));
    return cast === null ? found : found.map((end) => executeOp('Cast', cast, [end]));
  });
  const [low = new Float32Array(), high = new Float32Array()] = ends.map((end) => end.dataSync<'float32'>());
  tf.dispose(ends);
  return { low, high };
}

/**
 * Decodes and resizes an image as `keras.utils.image_dataset_from_directory` does: `tf.image.resize` to a square,
 * bilinear, without antialiasing and without preserving the aspect ratio. An image of the target size keeps its pixels.
 *
 * @returns size × size × 3 values from 0 to 255, RGB, row-major.
 * @throws {ImageDecodeError} when the image can't be decoded or is too large.
 */
export function decodeAndResize(bytes: Uint8Array, size: number): Float32Array {
  const resized = tf.tidy(() => {
    // tfjs treats uint8 as int32, so uint8 tensors are only passed from op to op here.
    const { pixels, header } = decodeImage(bytes);
    const { cast, resize, resizeBytes } = opAttributes();
    const target = tf.tensor1d([size, size], 'int32');
    // The resize op's uint8 kernel returns bit-identical values. By itself it takes three times as long, but a large
    // image as float32 takes four times the memory and, above a few megapixels, most of the time.
    if ((header?.pixelCount ?? 0) >= LARGE_IMAGE_PIXELS) {
      return executeOp('ResizeBilinear', resizeBytes, [tf.expandDims<Tensor4D>(pixels, 0), target]);
    }
    const image = tf.expandDims<Tensor4D>(executeOp('Cast', cast, [pixels]), 0);
    return executeOp('ResizeBilinear', resize, [image, target]);
  });
  // Outside the tidy, which would search a returned array for tensors, value by value (80 ms for one image).
  const pixels = resized.dataSync<'float32'>();
  resized.dispose();
  return pixels;
}

/** Number of pixels from which an image is resized as uint8. */
const LARGE_IMAGE_PIXELS = 4_000_000;

function tooLargeReason({ width, height, pixelCount, frameCount }: ImageHeader, limit: number): string {
  const frames = frameCount > 1 ? ` and ${frameCount.toLocaleString('en')} frames` : '';
  return (
    `it has ${width.toLocaleString('en')} × ${height.toLocaleString('en')} pixels${frames}, ` +
    `${pixelCount.toLocaleString('en')} in all; at most ${limit.toLocaleString('en')} are decoded (${MAX_IMAGE_PIXELS_SETTING})`
  );
}

function decode(bytes: Uint8Array, attributes: readonly OpAttribute[]): Tensor {
  const contents = tf.scalar(bytes, 'string');
  try {
    return executeOp('DecodeImage', attributes, [contents]);
  } catch (error) {
    const obstacle = webpObstacle(bytes);
    const hint = obstacle === null ? '' : `; its content is WebP with ${obstacle}, which is not decoded`;
    throw new ImageDecodeError(`${reasonOf(error)}${hint}`, { cause: error });
  } finally {
    contents.dispose();
  }
}

/**
 * Extracts the reason from TensorFlow's message: "Invalid TF_Status: 3
 * Message: {{function_node …}} Invalid JPEG data … [Op:DecodeImage]".
 */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const text = message.replace(/^[\s\S]*?Message:\s*/, '');
  return text
    .replace(/\{\{[^}]*\}\}/g, '')
    .replace(/\[Op:\w+\]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/\.$/, '');
}

interface DecodeAttributes {
  readonly decode: readonly OpAttribute[];
  readonly decodeAlpha: readonly OpAttribute[];
  readonly decodeDeep: readonly OpAttribute[];
  readonly cast: readonly OpAttribute[];
  readonly resize: readonly OpAttribute[];
  readonly resizeBytes: readonly OpAttribute[];
  readonly range: readonly OpAttribute[];
  readonly deepRange: readonly OpAttribute[];
  readonly average: readonly OpAttribute[];
}

let cachedAttributes: DecodeAttributes | null = null;

function opAttributes(): DecodeAttributes {
  cachedAttributes ??= {
    decode: decodeAttributes(3, 'uint8'),
    decodeAlpha: decodeAttributes(4, 'uint8'),
    decodeDeep: decodeAttributes(3, 'float32'),
    cast: castAttributes('uint8'),
    resize: resizeAttributes('float32'),
    resizeBytes: resizeAttributes('uint8'),
    range: rangeAttributes('uint8'),
    deepRange: rangeAttributes('float32'),
    average: [typeAttribute('T', 'uint8'), boolAttribute('align_corners', false)],
  };
  return cachedAttributes;
}

function decodeAttributes(channels: number, type: DataTypeName): readonly OpAttribute[] {
  return [intAttribute('channels', channels), typeAttribute('dtype', type), boolAttribute('expand_animations', false)];
}

function castAttributes(from: DataTypeName): readonly OpAttribute[] {
  return [typeAttribute('SrcT', from), typeAttribute('DstT', 'float32')];
}

function resizeAttributes(type: DataTypeName): readonly OpAttribute[] {
  return [typeAttribute('T', type), boolAttribute('align_corners', false), boolAttribute('half_pixel_centers', true)];
}

function rangeAttributes(type: DataTypeName): readonly OpAttribute[] {
  return [typeAttribute('T', type), typeAttribute('Tidx', 'int32'), boolAttribute('keep_dims', false)];
}
