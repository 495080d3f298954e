import { augmentStream } from '../../core/rng/stream.ts';
import type { AugmentationConfig } from '../../core/run-config.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor2D, Tensor4D } from '../engine/engine.ts';
import { executeOp, stringAttribute, typeAttribute } from '../engine/op.ts';
import { rotationTransforms, translationTransforms, zoomTransforms } from './transforms.ts';

/** What was drawn for one image. */
export interface AugmentationDraw {
  readonly flip: boolean;
  /** Degrees; positive turns counter-clockwise, as in Keras. */
  readonly angle: number;
  /** Of the height; 1: unchanged. */
  readonly zoom: number;
  /** 1: unchanged. */
  readonly widthZoom: number;
  /** Part of the height; positive: downward. */
  readonly downward: number;
  /** Part of the width; positive: to the right. */
  readonly rightward: number;
  /** Factor of the distance from the channel's mean; 1: unchanged. */
  readonly contrast: number;
  /** Part of 255 that is added; 0: unchanged. */
  readonly brightness: number;
}

export interface AugmentationPosition {
  /** From 1. */
  readonly epoch: number;
  /** Number of each image of the batch: its place in the manifest's training split. */
  readonly indices: ArrayLike<number>;
}

/** Keras' `value_range`, what images have. */
const MAX_VALUE = 255;

/**
 * Draws for one image in one epoch. Always the same numbers in the same order, so that switching one layer off doesn't change
 * what the others do; a layer that comes to Graft draws after those that were there before it.
 */
export function drawAugmentation(config: AugmentationConfig, epoch: number, imageIndex: number): AugmentationDraw {
  const random = augmentStream(config.seed, epoch, imageIndex);
  const around = (centre: number, factor: number): number => random.uniformBetween(centre - factor, centre + factor);
  // Keras: flips where a uniform number is at most 0.5.
  const flip = random.uniform() <= 0.5;
  const angle = around(0, config.rotation * 360);
  const zoom = around(1, config.zoom);
  const ownWidthZoom = around(1, config.zoomWidth ?? 0);
  return {
    flip,
    angle,
    zoom,
    widthZoom: config.zoomWidth === null ? zoom : ownWidthZoom,
    downward: around(0, config.translationHeight),
    rightward: around(0, config.translationWidth),
    // Keras' bounds of a single factor are max(-factor, 0) and factor, so contrast never gets lower.
    contrast: random.uniformBetween(1, 1 + config.contrast),
    brightness: around(0, config.brightness),
  };
}

/**
 * Flip, rotation, zoom, translation, contrast and brightness as Keras' layers `RandomFlip` to `RandomBrightness` one after the
 * other in this order, with random numbers that depend on (augmentation seed, epoch, image) alone.
 *
 * @param images [n, height, width, 3] float32, 0..255; not freed.
 * @returns a new tensor of the same shape.
 */
export function augmentBatch(images: Tensor4D, config: AugmentationConfig, position: AugmentationPosition): Tensor4D {
  const draws = Array.from(position.indices, (index) => drawAugmentation(config, position.epoch, index));
  return applyDraws(images, config, draws);
}

/** The layers with given draws, one per image. */
export function applyDraws(images: Tensor4D, config: AugmentationConfig, draws: readonly AugmentationDraw[]): Tensor4D {
  const [count] = images.shape;
  if (draws.length !== count) throw new RangeError(`${count} images need as many draws; received ${draws.length}.`);
  return tf.tidy(() => {
    let result = images.clone();
    if (config.flip !== 'none') {
      const flips = draws.map(({ flip }) => flip);
      result = flipImages(result, flips, config.flip);
    }
    for (const transforms of geometry(config, draws, images)) result = transformImages(result, transforms, config);
    if (config.contrast !== 0) {
      const factors = draws.map(({ contrast }) => contrast);
      result = adjustContrast(result, factors);
    }
    if (config.brightness !== 0) {
      const parts = draws.map(({ brightness }) => brightness);
      result = adjustBrightness(result, parts);
    }
    return result;
  });
}

/** Transforms of the layers that are on, in their order. */
function geometry(
  { rotation, zoom, zoomWidth, translationHeight, translationWidth }: AugmentationConfig,
  draws: readonly AugmentationDraw[],
  { shape: [, height, width] }: Tensor4D,
): readonly Tensor2D[] {
  const of = (field: 'angle' | 'zoom' | 'widthZoom' | 'downward' | 'rightward'): number[] =>
    draws.map((draw) => draw[field]);
  const layers: Tensor2D[] = [];
  if (rotation !== 0) layers.push(rotationTransforms(of('angle'), height, width));
  if (zoom !== 0 || (zoomWidth ?? 0) !== 0) {
    layers.push(zoomTransforms(of('zoom'), of('widthZoom'), height, width));
  }
  if (translationHeight !== 0 || translationWidth !== 0) {
    layers.push(translationTransforms(of('downward'), of('rightward'), height, width));
  }
  return layers;
}

/** Keras draws once per image, also for `horizontal_and_vertical`: such an image is turned by half a turn. */
function flipImages(images: Tensor4D, flips: readonly boolean[], mode: AugmentationConfig['flip']): Tensor4D {
  const axes = { none: [], horizontal: [2], vertical: [1], horizontal_and_vertical: [1, 2] }[mode];
  const condition = tf.tensor(flips.map(Number), [flips.length, 1, 1, 1], 'bool');
  return tf.where<Tensor4D>(condition, tf.reverse(images, axes), images);
}

/** One `ImageProjectiveTransformV3` for the batch. */
function transformImages(
  images: Tensor4D,
  transforms: Tensor2D,
  { fillMode, fillValue, interpolation }: AugmentationConfig,
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

/** Keras 3.15 `RandomContrast._adjust_contrast`: about each channel's mean over the image. */
function adjustContrast(images: Tensor4D, factors: readonly number[]): Tensor4D {
  const means = tf.mean(tf.mean(images, 1, true), 2, true);
  const factor = tf.tensor4d([...factors], [factors.length, 1, 1, 1]);
  const adjusted = tf.add<Tensor4D>(tf.mul(tf.sub(images, means), factor), means);
  return tf.clipByValue(adjusted, 0, MAX_VALUE);
}

/** Keras 3.15 `RandomBrightness.transform_images`: the same addition to all channels. */
function adjustBrightness(images: Tensor4D, parts: readonly number[]): Tensor4D {
  const delta = tf.mul(tf.tensor4d([...parts], [parts.length, 1, 1, 1]), MAX_VALUE);
  return tf.clipByValue(tf.add<Tensor4D>(images, delta), 0, MAX_VALUE);
}
