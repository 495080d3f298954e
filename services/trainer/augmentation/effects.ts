import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '../engine/engine.ts';
import { boolAttribute, executeOp, intAttribute, typeAttribute } from '../engine/op.ts';
import { MAX_VALUE } from './color.ts';

// The layers that Keras' RandAugment uses besides the ordinary ones. All expect one image [1, height, width, 3] with values
// 0..255 and keep that range. Sources: keras/src/layers/preprocessing/image_preprocessing of Keras 3.15.

const LEVELS = 256;
/** Weights of the channels in `keras.ops.image.rgb_to_grayscale`. */
const GRAY_WEIGHTS = [0.2989, 0.587, 0.114];

const BINCOUNT = [typeAttribute('Tidx', 'int32'), typeAttribute('T', 'int32'), boolAttribute('binary_output', false)];
const GATHER_ROWS = [
  typeAttribute('Tparams', 'float32'),
  typeAttribute('Tindices', 'int32'),
  typeAttribute('Taxis', 'int32'),
  intAttribute('batch_dims', 1),
];

/** Blends an image with its grayscale, as Keras' `RandomColorDegeneration`. @param part 1: grayscale only. */
export function degenerateColors(image: Tensor4D, part: number): Tensor4D {
  const weighted = tf.mul<Tensor4D>(image, tf.tensor1d(GRAY_WEIGHTS));
  return blend(image, tf.sum(weighted, 3, true), part);
}

/**
 * Blends an image with its 3 × 3 blur, as Keras' `RandomSharpness`. The blur reads zeros outside the image.
 *
 * @param factor 0: blur only; 0.5: unchanged; 1: sharpened.
 */
export function sharpen(image: Tensor4D, factor: number): Tensor4D {
  const [outer, centre] = [1 / 13, 5 / 13];
  const kernel = tf.tensor2d(
    [outer, outer, outer, outer, centre, outer, outer, outer, outer].map((value) => [value, value, value]),
  );
  const blurred = tf.depthwiseConv2d(image, tf.reshape(kernel, [3, 3, 3, 1]), 1, 'same');
  return blend(image, blurred, 1 - 2 * factor);
}

/** Keeps the highest bits of the integer part of each value, as Keras' `RandomPosterization`. @param bits from 1 to 8. */
export function posterize(image: Tensor4D, bits: number): Tensor4D {
  const step = 2 ** (8 - bits);
  return tf.mul(tf.floor(tf.div(image, step)), step);
}

/** Adds to each value and inverts those that then reach a threshold, as Keras' `Solarization`. */
export function solarize(image: Tensor4D, addition: number, threshold: number): Tensor4D {
  const raised = tf.clipByValue(tf.add<Tensor4D>(image, addition), 0, MAX_VALUE);
  return tf.where(tf.less(raised, threshold), raised, tf.sub(MAX_VALUE, raised));
}

/** Stretches each channel to 0..255, as Keras' `AutoContrast`. A channel of one value stays unchanged. */
export function stretchContrast(image: Tensor4D): Tensor4D {
  const low = tf.min<Tensor4D>(image, [1, 2], true);
  const high = tf.max<Tensor4D>(image, [1, 2], true);
  const scale = tf.div<Tensor4D>(MAX_VALUE, tf.sub(high, low));
  const offset = tf.mul<Tensor4D>(tf.neg(low), scale);
  const stretched = tf.clipByValue(tf.add<Tensor4D>(tf.mul(image, scale), offset), 0, MAX_VALUE);
  return tf.where(tf.broadcastTo(tf.greater(high, low), image.shape), stretched, image);
}

/** Equalises the histogram of each channel, as Keras' `Equalization` with 256 bins. A channel of one bin stays unchanged. */
export function equalize(image: Tensor4D): Tensor4D {
  const [, height, width] = image.shape;
  const channels = tf.transpose<Tensor2D>(tf.reshape(image, [height * width, 3]));
  // Keras computes the two roundings of a level in these two orders.
  const binned = tf.cast(tf.div(tf.mul(channels, LEVELS - 1), MAX_VALUE), 'int32');
  const looked = tf.cast(tf.mul(tf.div(channels, MAX_VALUE), LEVELS - 1), 'int32');
  const counts = executeOp('DenseBincount', BINCOUNT, [binned, tf.scalar(LEVELS, 'int32'), tf.tensor1d([], 'int32')]);
  const below = tf.cumsum(tf.cast(counts, 'float32'), 1);
  const first = tf.min(tf.where(tf.greater(below, 0), below, tf.fill(below.shape, height * width)), 1, true);
  const rest = tf.sub<Tensor1D>(height * width, first);
  const levels = tf.div(tf.mul(tf.sub(below, first), MAX_VALUE), tf.maximum(rest, 1));
  const lookup = tf.clipByValue(tf.round(levels), 0, MAX_VALUE);
  const equalized = executeOp('GatherV2', GATHER_ROWS, [lookup, looked, tf.scalar(1, 'int32')]);
  const kept = tf.where(tf.broadcastTo(tf.greater(rest, 0), channels.shape), equalized, channels);
  return tf.transpose(kept).as4D(1, height, width, 3);
}

/** Returns image + part · (other − image), clipped to 0..255. */
function blend(image: Tensor4D, other: Tensor, part: number): Tensor4D {
  return tf.clipByValue(tf.add<Tensor4D>(image, tf.mul(tf.sub(other, image), part)), 0, MAX_VALUE);
}
