import { tf } from '../engine/engine.ts';
import type { Tensor4D } from '../engine/engine.ts';

/** What is done to 0..255 RGB images before the first layer; belongs to the weights. `keras.applications.imagenet_utils`. */
export type Preprocessing = 'caffe' | 'tf' | 'torch' | 'none' | 'efficientnet_lite';

export const PREPROCESSINGS: readonly Preprocessing[] = ['caffe', 'tf', 'torch', 'none', 'efficientnet_lite'];

/** ImageNet's mean in blue, green, red. */
export const CAFFE_MEAN = [103.939, 116.779, 123.68];
/** ImageNet's red, green, blue on the scale 0..1. */
export const TORCH_MEAN = [0.485, 0.456, 0.406];
export const TORCH_DEVIATION = [0.229, 0.224, 0.225];

/**
 * @param images [n, height, width, 3] float32, 0..255 RGB.
 * @returns a new tensor of the same shape.
 */
export function preprocessImages(images: Tensor4D, preprocessing: Preprocessing): Tensor4D {
  switch (preprocessing) {
    case 'caffe':
      return tf.tidy(() => tf.sub(tf.reverse(images, -1), tf.tensor1d(CAFFE_MEAN)));
    case 'tf':
      return tf.tidy(() => tf.sub(tf.div(images, 127.5), 1));
    case 'torch':
      return tf.tidy(() => tf.div(tf.sub(tf.div(images, 255), tf.tensor1d(TORCH_MEAN)), tf.tensor1d(TORCH_DEVIATION)));
    case 'none':
      // The base begins with rescaling and normalisation layers.
      return images.clone();
    case 'efficientnet_lite':
      // (x − 127) / 128, as EfficientNet-Lite was trained.
      return tf.tidy(() => tf.div(tf.sub(images, 127), 128));
  }
}
