/**
 * Backbones that a sweep may name. The trainer's registry must hold each of them (a test compares the two).
 * A number at the end of a MobileNet is Keras' `alpha`, the width; 1 goes without.
 */
export const BACKBONE_NAMES: readonly string[] = [
  'vgg16',
  'vgg19',
  'xception',
  'resnet50',
  'resnet101',
  'resnet152',
  'resnet50_v2',
  'resnet101_v2',
  'resnet152_v2',
  'mobilenet',
  'mobilenet_0.25',
  'mobilenet_0.5',
  'mobilenet_0.75',
  'mobilenet_v2',
  'mobilenet_v2_0.35',
  'mobilenet_v2_0.5',
  'mobilenet_v2_0.75',
  'mobilenet_v2_1.3',
  'mobilenet_v2_1.4',
  'efficientnet_lite0',
  'efficientnet_b0',
  'efficientnet_b1',
  'efficientnet_b2',
  'efficientnet_b3',
  'efficientnet_b4',
  'efficientnet_b5',
  'efficientnet_b6',
  'efficientnet_b7',
  'efficientnet_v2_b0',
  'efficientnet_v2_b1',
  'efficientnet_v2_b2',
  'efficientnet_v2_b3',
  'densenet121',
  'densenet169',
  'densenet201',
];

export const DEFAULT_BACKBONE = 'efficientnet_lite0';

/** Smallest height and width in pixels that `keras.applications` takes; 32 where a backbone is not listed. */
const MINIMUM_IMAGE_SIZES: ReadonlyMap<string, number> = new Map([['xception', 71]]);

/** Of any backbone. */
export const MINIMUM_IMAGE_SIZE = 32;

/** Smallest height and width in pixels that Keras takes for a backbone, whatever its cut. */
export function minimumImageSize(backbone: string): number {
  return MINIMUM_IMAGE_SIZES.get(backbone) ?? MINIMUM_IMAGE_SIZE;
}
