import { augmentStream } from '../../core/rng/stream.ts';
import type { AugmentationConfig } from '../../core/run-config.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor2D, Tensor4D } from '../engine/engine.ts';
import { executeOp, stringAttribute, typeAttribute } from '../engine/op.ts';
import { rotationTransforms, zoomTransforms } from './transforms.ts';

/** What was drawn for one image. */
export interface AugmentationDraw {
  readonly flip: boolean;
  /** Degrees; positive turns counter-clockwise, as in Keras. */
  readonly angle: number;
  /** 1: unchanged. */
  readonly zoom: number;
}

export interface AugmentationPosition {
  /** From 1. */
  readonly epoch: number;
  /** Number of each image of the batch: its place in the manifest's training split. */
  readonly indices: ArrayLike<number>;
}

/**
 * Draws for one image in one epoch. Always three numbers in the same order, so that switching one layer off doesn't change
 * what the others do.
 */
export function drawAugmentation(config: AugmentationConfig, epoch: number, imageIndex: number): AugmentationDraw {
  const random = augmentStream(config.seed, epoch, imageIndex);
  // Keras: flips where a uniform number is at most 0.5.
  const flip = random.uniform() <= 0.5;
  const angle = random.uniformBetween(-config.rotation * 360, config.rotation * 360);
  const zoom = random.uniformBetween(1 - config.zoom, 1 + config.zoom);
  return { flip, angle, zoom };
}

/**
 * Flip, rotation and zoom as Keras' `RandomFlip`, `RandomRotation` and `RandomZoom` layers one after the other (each bilinear,
 * in this order), with random numbers that depend on (augmentation seed, epoch, image) alone.
 *
 * @param images [n, height, width, 3] float32; not freed.
 * @returns a new tensor of the same shape.
 */
export function augmentBatch(images: Tensor4D, config: AugmentationConfig, position: AugmentationPosition): Tensor4D {
  const draws = Array.from(position.indices, (index) => drawAugmentation(config, position.epoch, index));
  return applyDraws(images, config, draws);
}

/** The layers with given draws, one per image. */
export function applyDraws(images: Tensor4D, config: AugmentationConfig, draws: readonly AugmentationDraw[]): Tensor4D {
  const [count, height, width] = images.shape;
  if (draws.length !== count) throw new RangeError(`${count} images need as many draws; received ${draws.length}.`);
  return tf.tidy(() => {
    let result = images.clone();
    if (config.flip !== 'none') {
      const flips = draws.map(({ flip }) => flip);
      result = flipImages(result, flips, config.flip);
    }
    if (config.rotation !== 0) {
      const angles = draws.map(({ angle }) => angle);
      result = transformImages(result, rotationTransforms(angles, height, width), config.fillMode);
    }
    if (config.zoom !== 0) {
      const zooms = draws.map(({ zoom }) => zoom);
      result = transformImages(result, zoomTransforms(zooms, height, width), config.fillMode);
    }
    return result;
  });
}

/** Keras draws once per image, also for `horizontal_and_vertical`: such an image is turned by half a turn. */
function flipImages(images: Tensor4D, flips: readonly boolean[], mode: AugmentationConfig['flip']): Tensor4D {
  const axes = { none: [], horizontal: [2], vertical: [1], horizontal_and_vertical: [1, 2] }[mode];
  const condition = tf.tensor(flips.map(Number), [flips.length, 1, 1, 1], 'bool');
  return tf.where<Tensor4D>(condition, tf.reverse(images, axes), images);
}

/** One `ImageProjectiveTransformV3` for the batch; what lies outside an image is filled by `fillMode` (constant: 0). */
function transformImages(images: Tensor4D, transforms: Tensor2D, fillMode: AugmentationConfig['fillMode']): Tensor4D {
  const [, height, width] = images.shape;
  const attributes = [
    typeAttribute('dtype', 'float32'),
    stringAttribute('interpolation', 'BILINEAR'),
    stringAttribute('fill_mode', fillMode.toUpperCase()),
  ];
  const inputs: Tensor[] = [images, transforms, tf.tensor1d([height, width], 'int32'), tf.scalar(0)];
  return executeOp('ImageProjectiveTransformV3', attributes, inputs) as Tensor4D;
}
