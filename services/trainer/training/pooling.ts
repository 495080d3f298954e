import type { HeadConfig } from '../../core/run-config.ts';
import type { Pooling } from '../../core/task.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';

/** Applies Keras' GlobalAveragePooling2D or GlobalMaxPooling2D: [n, h, w, c] → [n, c]; `none` returns the input. */
export function pool(outputs: Tensor4D, pooling: Pooling): Tensor {
  switch (pooling) {
    case 'avg':
      return tf.mean(outputs, [1, 2]);
    case 'max':
      return tf.max(outputs, [1, 2]);
    case 'none':
      return outputs;
  }
}

/** Returns a head's features [n, features] of base outputs [n, h, w, c], by Keras' Flatten or global pooling. */
export function featuresOf(outputs: Tensor4D, pooling: HeadConfig['pooling']): Tensor {
  if (pooling !== 'flatten') return pool(outputs, pooling);
  return tf.reshape(outputs, [outputs.shape[0], -1]);
}

/** Returns the gradient of the outputs for that of the features. Equal maxima share it, as in TensorFlow's gradient of Max. */
export function featuresGradient(
  outputs: Tensor4D,
  features: Tensor,
  featureGradient: Tensor,
  pooling: HeadConfig['pooling'],
): Tensor4D {
  const [n, height, width, channels] = outputs.shape;
  if (pooling === 'flatten') return tf.reshape(featureGradient, outputs.shape);
  const perChannel = tf.reshape(featureGradient, [n, 1, 1, channels]);
  if (pooling === 'avg') {
    return tf.mul(tf.fill(outputs.shape, 1 / (height * width)), perChannel);
  }
  const isLargest = tf.cast(tf.equal(outputs, tf.reshape(features, [n, 1, 1, channels])), 'float32');
  const largestCount = tf.sum(isLargest, [1, 2], true);
  return tf.mul(tf.div(isLargest, largestCount), perChannel);
}
