import type { Preprocessing } from '../../core/network/backbone-definition.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor4D } from '../engine/engine.ts';

/** ImageNet's mean in blue, green, red. */
export const CAFFE_MEAN = [103.939, 116.779, 123.68];
/** ImageNet's red, green, blue on the scale 0..1. */
export const TORCH_MEAN = [0.485, 0.456, 0.406];
export const TORCH_DEVIATION = [0.229, 0.224, 0.225];

type Preprocess = (images: Tensor4D) => Tensor4D;

const FUNCTIONS: Readonly<Record<Preprocessing, Preprocess>> = {
  caffe: (images) => tf.sub(tf.reverse(images, -1), tf.tensor1d(CAFFE_MEAN)),
  tf: (images) => tf.sub(tf.div(images, 127.5), 1),
  torch: (images) => tf.div(tf.sub(tf.div(images, 255), tf.tensor1d(TORCH_MEAN)), tf.tensor1d(TORCH_DEVIATION)),
  // The base begins with rescaling and normalisation layers.
  none: (images) => images.clone(),
  // (x − 127) / 128, as EfficientNet-Lite was trained.
  efficientnet_lite: (images) => tf.div(tf.sub(images, 127), 128),
};

/** Names that a weight file may give. */
export const PREPROCESSINGS = Object.keys(FUNCTIONS) as readonly Preprocessing[];

/**
 * Applies the preprocessing of a base.
 *
 * @param images [n, height, width, 3] float32, 0..255 RGB.
 * @returns a new tensor of the same shape.
 */
export function preprocessImages(images: Tensor4D, preprocessing: Preprocessing): Tensor4D {
  return tf.tidy(() => FUNCTIONS[preprocessing](images));
}
