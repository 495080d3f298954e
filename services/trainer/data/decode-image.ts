import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';
import { boolAttribute, executeOp, intAttribute, typeAttribute } from '../engine/op.ts';
import type { DataTypeName, OpAttribute } from '../engine/op.ts';
import { readImageHeader, webpObstacle } from './image-header.ts';
import type { ImageHeader } from './image-header.ts';
import { MAX_IMAGE_PIXELS_SETTING, maxImagePixels } from './image-limit.ts';

/** A file that TensorFlow's decoder rejects, or that is too large for it; `reason` is a clause without the noise. */
export class ImageDecodeError extends Error {
  override readonly name = 'ImageDecodeError';
  readonly reason: string;
  /** Whether it is larger than `maxImagePixels`, and so was not decoded at all. */
  readonly isTooLarge: boolean;

  constructor(reason: string, options: ErrorOptions & { readonly isTooLarge?: boolean } = {}) {
    super(`The image can't be decoded: ${reason}.`, options);
    this.reason = reason;
    this.isTooLarge = options.isTooLarge ?? false;
  }
}

/** A decoded image: height × width × 3 uint8, RGB. tfjs names its type int32. */
export interface DecodedImage {
  readonly pixels: Tensor;
  /** null where the decoder knows a format of which nothing else is known. */
  readonly header: ImageHeader | null;
}

/**
 * Decodes an image in full, as `keras.utils.image_dataset_from_directory` does: `tf.image.decode_image`, three channels (of a
 * transparent image the colours, whatever its alpha says; of 16 bits the upper 8), first frame of a GIF; the EXIF orientation is
 * not applied. An image of more pixels than `maxImagePixels` is refused by its header, before memory is taken for it.
 *
 * @returns the caller's; a `tf.tidy` around it disposes of it.
 * @throws ImageDecodeError
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
 * Averages an image over a few cells.
 *
 * @param pixels of `decodeImage`.
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
 * Decodes an image as `decodeImage` does and averages it over a few cells.
 *
 * @throws ImageDecodeError
 */
export function decodeAndAverage(bytes: Uint8Array, height: number, width: number): Float32Array {
  const { pixels } = decodeImage(bytes);
  const cells = averageCells(pixels, height, width);
  pixels.dispose();
  return cells;
}

/** Least and greatest value of each channel. */
export interface ChannelRange {
  readonly low: Float32Array;
  readonly high: Float32Array;
}

/** @param pixels of `decodeImage`. */
export function channelRange(pixels: Tensor): ChannelRange {
  const { range, cast } = opAttributes();
  return rangeOf(pixels, range, cast);
}

/** As `channelRange`, of the alpha channel that decoding drops; null where the file's format has none. */
export function alphaRange(bytes: Uint8Array): ChannelRange | null {
  const { decodeAlpha, range, cast } = opAttributes();
  const all = rangeOfDecoded(bytes, decodeAlpha, range, cast);
  return all === null ? null : { low: all.low.slice(3), high: all.high.slice(3) };
}

/**
 * As `channelRange`, of the values that a file of 16 bits a channel has before decoding drops the lower 8: 0 to 65,535. null where
 * the file's format has no such values.
 */
export function deepRange(bytes: Uint8Array): ChannelRange | null {
  const { decodeDeep, deepRange: range } = opAttributes();
  const parts = rangeOfDecoded(bytes, decodeDeep, range, null);
  return parts === null ? null : { low: parts.low.map(toDeep), high: parts.high.map(toDeep) };
}

/** TensorFlow gives 16 bits as parts of the greatest value. */
function toDeep(value: number): number {
  return Math.round(value * 65_535);
}

/** null where the decoder does not give such pixels. */
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

/** @param cast to float32, because tfjs can't read uint8; null: the pixels are float32. */
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
 * Decodes and resizes as `keras.utils.image_dataset_from_directory` does: `tf.image.resize` to a square, bilinear, without
 * antialias and without keeping the aspect ratio; an image of that size already keeps its pixels.
 *
 * @returns size × size × 3 values from 0 to 255, RGB, row-major.
 * @throws ImageDecodeError
 */
export function decodeAndResize(bytes: Uint8Array, size: number): Float32Array {
  const resized = tf.tidy(() => {
    // tfjs believes uint8 to be int32, so tensors of it only go from op to op here.
    const { pixels, header } = decodeImage(bytes);
    const { cast, resize, resizeBytes } = opAttributes();
    const target = tf.tensor1d([size, size], 'int32');
    // The resize op's uint8 version gives the same values, bit by bit. It takes three times as long by itself, but a large image
    // as float32 takes four times the memory and, from some megapixels on, most of the time.
    if ((header?.pixelCount ?? 0) >= LARGE_IMAGE_PIXELS) {
      return executeOp('ResizeBilinear', resizeBytes, [tf.expandDims<Tensor4D>(pixels, 0), target]);
    }
    const image = tf.expandDims<Tensor4D>(executeOp('Cast', cast, [pixels]), 0);
    return executeOp('ResizeBilinear', resize, [image, target]);
  });
  // Not inside the tidy, which would search a returned array for tensors, value by value (80 ms for one image).
  const pixels = resized.dataSync<'float32'>();
  resized.dispose();
  return pixels;
}

/** From here on an image is resized as it is, in uint8. */
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

/** TensorFlow: "Invalid TF_Status: 3\nMessage: {{function_node …}} Invalid JPEG data … [Op:DecodeImage]". */
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
