import { tf } from '../engine/engine.ts';
import type { Tensor1D, Tensor2D } from '../engine/engine.ts';

const RADIANS_PER_DEGREE = Math.PI / 180;

// All functions go through the same float32 ops in the same order as Keras, so that the matrices are equal to the last bit:
// at 180 pixels the last bit of a coordinate already moves a noisy pixel by 0.004 of 255. Rows are the eight numbers of
// ImageProjectiveTransformV3: output (x, y) takes the input at ((a0·x + a1·y + a2) / k, (b0·x + b1·y + b2) / k).

/**
 * Rotations about the image's centre, as Keras 3.15 `RandomRotation` makes them (`_compute_affine_matrix` without scale, shear
 * and shift).
 *
 * @param angles in degrees, one per image.
 * @returns [images, 8].
 */
export function rotationTransforms(angles: readonly number[], height: number, width: number): Tensor2D {
  return tf.tidy(() => {
    const theta = tf.mul<Tensor1D>(tf.tensor1d([...angles], 'float32'), RADIANS_PER_DEGREE);
    const cosine = tf.cos(theta);
    const sine = tf.sin(theta);
    const minusSine = tf.neg(sine);
    const cx = tf.scalar(0.5 * (width - 1));
    const cy = tf.scalar(0.5 * (height - 1));
    const a2 = tf.sub<Tensor1D>(tf.sub(cx, tf.mul(cx, cosine)), tf.mul(cy, minusSine));
    const b2 = tf.sub<Tensor1D>(tf.sub(cy, tf.mul(cx, sine)), tf.mul(cy, cosine));
    const zero = tf.zerosLike(cosine);
    return tf.stack([cosine, minusSine, a2, sine, cosine, b2, zero, zero], 1) as Tensor2D;
  });
}

/**
 * Zooms about the image's centre, as Keras 3.15 `RandomZoom` makes them (`_get_zoom_matrix`).
 *
 * @param zooms part of the image's height that is shown, one per image: below 1 enlarges.
 * @param widthZooms the same of its width.
 * @returns [images, 8].
 */
export function zoomTransforms(
  zooms: readonly number[],
  widthZooms: readonly number[],
  height: number,
  width: number,
): Tensor2D {
  return tf.tidy(() => {
    const zoomX = tf.tensor1d([...widthZooms], 'float32');
    const zoomY = tf.tensor1d([...zooms], 'float32');
    const xOffset = tf.mul<Tensor1D>((width - 1) / 2, tf.sub(1, zoomX));
    const yOffset = tf.mul<Tensor1D>((height - 1) / 2, tf.sub(1, zoomY));
    const zero = tf.zerosLike(zoomX);
    return tf.stack([zoomX, zero, xOffset, zero, zoomY, yOffset, zero, zero], 1) as Tensor2D;
  });
}

/**
 * Shifts, as Keras 3.15 `RandomTranslation` makes them (`_get_translation_matrix`).
 *
 * @param downward part of the image's height, one per image; negative: upward.
 * @param rightward part of its width; negative: to the left.
 * @returns [images, 8].
 */
export function translationTransforms(
  downward: readonly number[],
  rightward: readonly number[],
  height: number,
  width: number,
): Tensor2D {
  return tf.tidy(() => {
    const a2 = tf.neg(tf.mul<Tensor1D>(tf.tensor1d([...rightward], 'float32'), width));
    const b2 = tf.neg(tf.mul<Tensor1D>(tf.tensor1d([...downward], 'float32'), height));
    const zero = tf.zerosLike(a2);
    const one = tf.onesLike(a2);
    return tf.stack([one, zero, a2, zero, one, b2, zero, zero], 1) as Tensor2D;
  });
}
