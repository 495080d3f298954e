import { tf } from '../engine/engine.ts';
import type { Tensor4D } from '../engine/engine.ts';
import { executeOp, typeAttribute } from '../engine/op.ts';

/** Upper bound of the pixel values (Keras' `value_range`). */
export const MAX_VALUE = 255;

const FLOAT = [typeAttribute('T', 'float32')];
/** `keras.backend.epsilon()`. */
const EPSILON = 1e-7;
/** Modulus for saturation and value, above all their values: only the hue wraps around. */
const NO_WRAP = 2 * MAX_VALUE;

/**
 * Scales contrast about each channel's mean over the image, as Keras 3.15 `RandomContrast._adjust_contrast` does.
 *
 * @param images [n, height, width, channels], 0..255.
 * @param factors one per image; 1 leaves it unchanged.
 */
export function adjustContrast(images: Tensor4D, factors: readonly number[]): Tensor4D {
  const means = tf.mean(tf.mean(images, 1, true), 2, true);
  const adjusted = tf.add<Tensor4D>(tf.mul(tf.sub(images, means), perImage(factors)), means);
  return tf.clipByValue(adjusted, 0, MAX_VALUE);
}

/**
 * Adds the same offset to all channels, as Keras 3.15 `RandomBrightness.transform_images` does.
 *
 * @param parts fractions of 255, one per image.
 */
export function adjustBrightness(images: Tensor4D, parts: readonly number[]): Tensor4D {
  const delta = tf.mul(perImage(parts), MAX_VALUE);
  return tf.clipByValue(tf.add<Tensor4D>(images, delta), 0, MAX_VALUE);
}

/** Returns the factor of the saturation that Keras 3.15 `RandomSaturation` computes from its drawn factor; exactly 1 for 0.5. */
export function saturationFactor(drawn: number): number {
  return drawn === 0.5 ? 1 : Math.fround(drawn / (1 - drawn + EPSILON));
}

/**
 * Shifts saturation and hue in one pass through HSV, which equals Keras 3.15 `RandomSaturation` followed by `RandomHue`. Values
 * that leave 0..255 are clipped; Keras does so after `RandomHue` only.
 *
 * @param images [n, height, width, 3] RGB, 0..255.
 * @param saturations factors, one per image; null leaves the saturation unchanged.
 * @param hues rotations as parts of the colour circle, one per image; null leaves the hue unchanged.
 */
export function shiftColors(
  images: Tensor4D,
  saturations: readonly number[] | null,
  hues: readonly number[] | null,
): Tensor4D {
  let hsv = executeOp('RGBToHSV', FLOAT, [images]) as Tensor4D;
  if (saturations !== null)
    hsv = tf.minimum(
      tf.mul(
        hsv,
        perChannel(saturations, (factor) => [1, factor, 1]),
      ),
      MAX_VALUE,
    );
  if (hues !== null) {
    const rotated = tf.add<Tensor4D>(
      hsv,
      perChannel(hues, (rotation) => [rotation, 0, 0]),
    );
    hsv = tf.mod(rotated, tf.tensor1d([1, NO_WRAP, NO_WRAP]));
  }
  return tf.clipByValue(executeOp('HSVToRGB', FLOAT, [hsv]) as Tensor4D, 0, MAX_VALUE);
}

/** Returns a tensor [n, 1, 1, 3] that is broadcast over each image. */
function perChannel(values: readonly number[], channels: (value: number) => readonly number[]): Tensor4D {
  return tf.tensor4d(values.flatMap(channels), [values.length, 1, 1, 3]);
}

/** Returns a tensor [n, 1, 1, 1] that is broadcast over each image. */
export function perImage(values: readonly number[]): Tensor4D {
  return tf.tensor4d([...values], [values.length, 1, 1, 1]);
}
