import { randAugmentStream } from '../../core/rng/stream.ts';
import type { AugmentationConfig, RandAugmentConfig } from '../../core/run-config.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor4D } from '../engine/engine.ts';
import { adjustBrightness, adjustContrast } from './color.ts';
import { degenerateColors, equalize, posterize, sharpen, solarize, stretchContrast } from './effects.ts';
import { rotationTransforms, shearTransforms, transformImages, translationTransforms } from './transforms.ts';

/** The layers of Keras' `RandAugment`, in the order of its table. */
export const RAND_AUGMENT_LAYERS = [
  'shear',
  'translation',
  'rotation',
  'brightness',
  'color_degeneration',
  'contrast',
  'sharpness',
  'posterization',
  'solarization',
  'auto_contrast',
  'equalization',
] as const;
export type RandAugmentLayer = (typeof RAND_AUGMENT_LAYERS)[number];

/** Layers that one image gets, in order, and the factors of every layer, as Keras draws them. */
export interface RandAugmentDraw {
  readonly layers: readonly RandAugmentLayer[];
  /** Shear factors. */
  readonly shearX: number;
  readonly shearY: number;
  /** Shift as a fraction of the height, downward. */
  readonly downward: number;
  /** Shift as a fraction of the width, to the right. */
  readonly rightward: number;
  /** Degrees, counter-clockwise. */
  readonly angle: number;
  /** Fraction of 255 that is added. */
  readonly brightness: number;
  /** Part of the grayscale. */
  readonly degeneration: number;
  /** Factor about the channel mean. */
  readonly contrast: number;
  /** 0: blurred; 0.5: unchanged; 1: sharpened. */
  readonly sharpness: number;
  /** Number of bits kept. */
  readonly bits: number;
  /** Value added before inversion, of 255. */
  readonly addition: number;
  /** Values from here on are inverted, of 255. */
  readonly threshold: number;
}

/**
 * Draws the layers and factors of one image in one epoch, with the ranges of Keras' `RandAugment(num_ops, factor)`: factors from 0
 * to the magnitude, so that images move to the right, down and counter-clockwise only, except that a shear has a random sign.
 * Every factor is drawn whether or not its layer is, and a layer that is drawn twice is applied twice with the same factor.
 */
export function drawRandAugment(
  { ops, magnitude }: RandAugmentConfig,
  seed: number,
  epoch: number,
  imageIndex: number,
): RandAugmentDraw {
  const random = randAugmentStream(seed, epoch, imageIndex);
  const upTo = (limit: number): number => random.uniformBetween(0, limit);
  const sign = random.uniform() > 0.5 ? -1 : 1;
  const draw = {
    shearY: sign * upTo(magnitude),
    shearX: sign * upTo(magnitude),
    downward: upTo(magnitude),
    rightward: upTo(magnitude),
    angle: upTo(360 * magnitude),
    brightness: upTo(magnitude),
    degeneration: upTo(magnitude),
    contrast: random.uniformBetween(1, 1 + magnitude),
    sharpness: upTo(magnitude),
    // Keras: `RandomPosterization(factor=max(1, int(8 * factor)))`, whose upper bound is exclusive.
    bits: 1 + random.int(Math.max(1, Math.floor(8 * magnitude) - 1)),
    addition: upTo(255 * magnitude),
    threshold: upTo(255 * magnitude),
  };
  const layers = Array.from(
    { length: ops },
    () => RAND_AUGMENT_LAYERS[random.int(RAND_AUGMENT_LAYERS.length)] ?? 'shear',
  );
  return { ...draw, layers };
}

/**
 * Applies each image's own layers, as Keras' `RandAugment` does to single images. (To a batch, Keras applies the same layers, and
 * one histogram; here an image does not depend on its batch.) One image of 180 pixels fits the second-level cache.
 *
 * @param images [n, height, width, 3], 0..255; the caller keeps ownership.
 */
export function randAugment(
  images: Tensor4D,
  draws: readonly RandAugmentDraw[],
  config: Pick<AugmentationConfig, 'fillMode' | 'fillValue' | 'interpolation'>,
): Tensor4D {
  return tf.tidy(() => {
    const augmented = draws.map((draw, index) =>
      tf.tidy(() => {
        let image = tf.slice(images, [index, 0, 0, 0], [1, -1, -1, -1]);
        for (const layer of draw.layers) image = applyLayer(layer, image, draw, config);
        return image;
      }),
    );
    return augmented.length === 1 ? (augmented[0] ?? images) : tf.concat(augmented, 0);
  });
}

function applyLayer(
  layer: RandAugmentLayer,
  image: Tensor4D,
  draw: RandAugmentDraw,
  config: Parameters<typeof transformImages>[2],
): Tensor4D {
  const [, height, width] = image.shape;
  switch (layer) {
    case 'shear':
      return transformImages(image, shearTransforms([draw.shearX], [draw.shearY]), config);
    case 'translation':
      return transformImages(image, translationTransforms([draw.downward], [draw.rightward], height, width), config);
    case 'rotation':
      return transformImages(image, rotationTransforms([draw.angle], height, width), config);
    case 'brightness':
      return adjustBrightness(image, [draw.brightness]);
    case 'color_degeneration':
      return degenerateColors(image, draw.degeneration);
    case 'contrast':
      return adjustContrast(image, [draw.contrast]);
    case 'sharpness':
      return sharpen(image, draw.sharpness);
    case 'posterization':
      return posterize(image, draw.bits);
    case 'solarization':
      return solarize(image, draw.addition, draw.threshold);
    case 'auto_contrast':
      return stretchContrast(image);
    case 'equalization':
      return equalize(image);
  }
}
