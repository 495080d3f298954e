import type { GradientClipping } from '../../core/run-config.ts';
import { tf } from '../engine/engine.ts';
import type { Scalar, Tensor } from '../engine/engine.ts';

/**
 * Clips gradients as Keras 3.15 does (keras/src/optimizers/base_optimizer.py `_clip_gradients`), in the same order of
 * operations.
 *
 * @param gradients the caller keeps ownership.
 * @returns tensors of the enclosing tidy, of the same shapes.
 */
export function clipGradients(gradients: readonly Tensor[], { by, limit }: GradientClipping): readonly Tensor[] {
  switch (by) {
    case 'norm':
      return gradients.map((gradient) => clipByNorm(gradient, limit));
    case 'global_norm':
      return clipByGlobalNorm(gradients, limit);
    case 'value':
      return gradients.map((gradient) => tf.clipByValue(gradient, -limit, limit));
  }
}

function clipByNorm(gradient: Tensor, limit: number): Tensor {
  const norm = tf.sqrt(tf.sum(tf.square(gradient)));
  return tf.div(tf.mul(gradient, limit), tf.maximum(norm, limit));
}

/**
 * Clips by global norm. A non-finite norm makes all gradients NaN, as in Keras, so that the run fails instead of
 * continuing.
 */
function clipByGlobalNorm(gradients: readonly Tensor[], limit: number): readonly Tensor[] {
  const squares = gradients.map((gradient) => tf.sum<Scalar>(tf.square(gradient)));
  const norm = tf.sqrt(tf.sum(tf.stack(squares)));
  const finiteScale = tf.mul(limit, tf.minimum(tf.div(1, norm), tf.scalar(Math.fround(1 / limit))));
  const scale = tf.add(finiteScale, tf.sub(norm, norm));
  return gradients.map((gradient) => tf.mul(gradient, scale));
}
