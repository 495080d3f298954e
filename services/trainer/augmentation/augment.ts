import { augmentStream } from '../../core/rng/stream.ts';
import type { AugmentationConfig } from '../../core/run-config.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor2D, Tensor4D } from '../engine/engine.ts';
import { adjustBrightness, adjustContrast, saturationFactor, shiftColors } from './color.ts';
import { drawRandAugment, randAugment } from './rand-augment.ts';
import { rotationTransforms, transformImages, translationTransforms, zoomTransforms } from './transforms.ts';

/** Random values drawn for one image, one field per layer. */
export interface AugmentationDraw {
  readonly flip: boolean;
  /** Rotation in degrees; positive is counter-clockwise, as in Keras. */
  readonly angle: number;
  /** Fraction of the height that is shown; 1 leaves it unchanged. */
  readonly zoom: number;
  /** Fraction of the width that is shown; 1 leaves it unchanged. */
  readonly widthZoom: number;
  /** Shift as a fraction of the height; positive is downward. */
  readonly downward: number;
  /** Shift as a fraction of the width; positive is to the right. */
  readonly rightward: number;
  /** Factor applied to each value's distance from the channel mean; 1 leaves it unchanged. */
  readonly contrast: number;
  /** Fraction of 255 that is added to every value; 0 leaves it unchanged. */
  readonly brightness: number;
  /** Factor of the saturation; 1 leaves it unchanged. */
  readonly saturation: number;
  /** Rotation of the hue as a part of the colour circle, -0.5..0.5. */
  readonly hue: number;
}

export interface AugmentationPosition {
  /** One-based epoch number. */
  readonly epoch: number;
  /** Index of each image of the batch within the manifest's training split. */
  readonly indices: ArrayLike<number>;
}

/**
 * Draws the random values for one image in one epoch. The sequence of draws is fixed, so disabling one layer does not
 * change the draws of the others. A layer added later must draw after all existing ones.
 */
export function drawAugmentation(config: AugmentationConfig, epoch: number, imageIndex: number): AugmentationDraw {
  const random = augmentStream(config.seed, epoch, imageIndex);
  const around = (centre: number, factor: number): number => random.uniformBetween(centre - factor, centre + factor);
  // Keras flips if the uniform number is at most 0.5.
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
    // Keras' bounds for a single factor are max(-factor, 0) and factor, so contrast never decreases.
    contrast: random.uniformBetween(1, 1 + config.contrast),
    brightness: around(0, config.brightness),
    saturation: saturationFactor(around(0.5, config.saturation)),
    // Keras draws the sign first, and half of the factor is the largest part of the circle.
    hue: (random.uniform() > 0.5 ? -0.5 : 0.5) * random.uniformBetween(0, config.hue),
  };
}

/**
 * Applies flip, rotation, zoom, translation, contrast, brightness, saturation, hue and RandAugment in this order, as Keras'
 * layers do. The random numbers depend only on (augmentation seed, epoch, image).
 *
 * @param images [n, height, width, 3] float32, 0..255 RGB; the caller keeps ownership.
 * @returns a new tensor of the same shape.
 */
export function augmentBatch(images: Tensor4D, config: AugmentationConfig, position: AugmentationPosition): Tensor4D {
  const { epoch, indices } = position;
  const draws = Array.from(indices, (index) => drawAugmentation(config, epoch, index));
  const augmented = applyDraws(images, config, draws);
  const { randAugment: layers, seed } = config;
  if (layers === null) return augmented;
  const randDraws = Array.from(indices, (index) => drawRandAugment(layers, seed, epoch, index));
  const result = randAugment(augmented, randDraws, config);
  augmented.dispose();
  return result;
}

/** Applies the layers with the given draws, one per image. */
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
    if (config.saturation !== 0 || config.hue !== 0) {
      const saturations = config.saturation === 0 ? null : draws.map(({ saturation }) => saturation);
      const hues = config.hue === 0 ? null : draws.map(({ hue }) => hue);
      result = shiftColors(result, saturations, hues);
    }
    return result;
  });
}

/** Returns the affine transforms of the enabled layers, in layer order. */
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

/**
 * Flips images. Keras draws once per image even for `horizontal_and_vertical`, so such an image is rotated by 180
 * degrees.
 */
function flipImages(images: Tensor4D, flips: readonly boolean[], mode: AugmentationConfig['flip']): Tensor4D {
  const axes = { none: [], horizontal: [2], vertical: [1], horizontal_and_vertical: [1, 2] }[mode];
  const condition = tf.tensor(flips.map(Number), [flips.length, 1, 1, 1], 'bool');
  return tf.where<Tensor4D>(condition, tf.reverse(images, axes), images);
}
