import { tf } from '../engine/engine.ts';
import type { AugmentationConfig } from '../../core/run-config.ts';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '../engine/engine.ts';
import { executeOp, stringAttribute, typeAttribute } from '../engine/op.ts';

const RADIANS_PER_DEGREE = Math.PI / 180;

// All functions execute the same float32 ops in the same order as Keras, so the matrices are bit-identical. At 180
// pixels the last bit of a coordinate already changes a noisy pixel by 0.004 of 255. Rows hold the eight parameters of
// ImageProjectiveTransformV3: output (x, y) samples the input at ((a0·x + a1·y + a2) / k, (b0·x + b1·y + b2) / k).

/**
 * Returns rotations about the image centre, as Keras 3.15 `RandomRotation` computes them (`_compute_affine_matrix`
 * without scale, shear and shift).
 *
 * @param angles degrees, one per image.
 * @returns [images, 8] float32.
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
 * Returns zooms about the image centre, as Keras 3.15 `RandomZoom` computes them (`_get_zoom_matrix`).
 *
 * @param zooms fraction of the image height that is shown, one per image; below 1 enlarges.
 * @param widthZooms fraction of the image width, likewise.
 * @returns [images, 8] float32.
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
 * Returns shifts, as Keras 3.15 `RandomTranslation` computes them (`_get_translation_matrix`).
 *
 * @param downward fraction of the image height, one per image; negative is upward.
 * @param rightward fraction of the image width; negative is to the left.
 * @returns [images, 8] float32.
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

/**
 * Returns shears about the upper left corner, as Keras 3.15 `RandomShear` computes them (`_get_shear_matrix`).
 *
 * @param shearsX horizontal shift per row of pixels, one per image.
 * @param shearsY vertical shift per column.
 */
export function shearTransforms(shearsX: readonly number[], shearsY: readonly number[]): Tensor2D {
  return tf.tidy(() => {
    const x = tf.tensor1d([...shearsX], 'float32');
    const y = tf.tensor1d([...shearsY], 'float32');
    const zero = tf.zerosLike(x);
    const one = tf.onesLike(x);
    return tf.stack([one, x, zero, y, one, zero, zero, zero], 1) as Tensor2D;
  });
}

/** Transforms a batch with a single `ImageProjectiveTransformV3` op. */
export function transformImages(
  images: Tensor4D,
  transforms: Tensor2D,
  { fillMode, fillValue, interpolation }: Pick<AugmentationConfig, 'fillMode' | 'fillValue' | 'interpolation'>,
): Tensor4D {
  const [, height, width] = images.shape;
  const attributes = [
    typeAttribute('dtype', 'float32'),
    stringAttribute('interpolation', interpolation.toUpperCase()),
    stringAttribute('fill_mode', fillMode.toUpperCase()),
  ];
  const inputs: Tensor[] = [images, transforms, tf.tensor1d([height, width], 'int32'), tf.scalar(fillValue)];
  return executeOp('ImageProjectiveTransformV3', attributes, inputs) as Tensor4D;
}
