import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';
import { boolAttribute, executeOp, intAttribute, typeAttribute } from '../engine/op.ts';
import type { OpAttribute } from '../engine/op.ts';

/** A file that TensorFlow's decoder rejects; `reason` is its message without the noise. */
export class ImageDecodeError extends Error {
  override readonly name = 'ImageDecodeError';
  readonly reason: string;

  constructor(reason: string, options?: ErrorOptions) {
    super(`The image can't be decoded: ${reason}.`, options);
    this.reason = reason;
  }
}

/**
 * Decodes an image in full, as `keras.utils.image_dataset_from_directory` does (`tf.image.decode_image`, three channels, first
 * frame of a GIF; the EXIF orientation is not applied), and averages it over a few cells.
 *
 * @returns height × width × 3 averages from 0 to 255, RGB, row-major.
 * @throws ImageDecodeError
 */
export function decodeAndAverage(bytes: Uint8Array, height: number, width: number): Float32Array {
  const averages = tf.tidy(() => {
    const image = tf.expandDims<Tensor4D>(decode(bytes), 0);
    const target = tf.tensor1d([height, width], 'int32');
    return executeOp('ResizeArea', opAttributes().average, [image, target]);
  });
  const cells = averages.dataSync<'float32'>();
  averages.dispose();
  return cells;
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
    // As float32 first: the resize op's uint8 version takes three times as long for the same values.
    const image = tf.expandDims<Tensor4D>(executeOp('Cast', opAttributes().cast, [decode(bytes)]), 0);
    const target = tf.tensor1d([size, size], 'int32');
    return executeOp('ResizeBilinear', opAttributes().resize, [image, target]);
  });
  // Not inside the tidy, which would search a returned array for tensors, value by value (80 ms for one image).
  const pixels = resized.dataSync<'float32'>();
  resized.dispose();
  return pixels;
}

function decode(bytes: Uint8Array): Tensor {
  const contents = tf.scalar(bytes, 'string');
  try {
    return executeOp('DecodeImage', opAttributes().decode, [contents]);
  } catch (error) {
    throw new ImageDecodeError(reasonOf(error), { cause: error });
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
  readonly cast: readonly OpAttribute[];
  readonly resize: readonly OpAttribute[];
  readonly average: readonly OpAttribute[];
}

let cachedAttributes: DecodeAttributes | null = null;

function opAttributes(): DecodeAttributes {
  cachedAttributes ??= {
    decode: [intAttribute('channels', 3), typeAttribute('dtype', 'uint8'), boolAttribute('expand_animations', false)],
    cast: [typeAttribute('SrcT', 'uint8'), typeAttribute('DstT', 'float32')],
    resize: [
      typeAttribute('T', 'float32'),
      boolAttribute('align_corners', false),
      boolAttribute('half_pixel_centers', true),
    ],
    average: [typeAttribute('T', 'uint8'), boolAttribute('align_corners', false)],
  };
  return cachedAttributes;
}
