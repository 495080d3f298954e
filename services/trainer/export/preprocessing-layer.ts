import { CAFFE_MEAN, TORCH_DEVIATION, TORCH_MEAN } from '../backbones/preprocessing.ts';
import type { Preprocessing } from '../../core/network/backbone-definition.ts';
import type { ConfigValue, KerasLayer } from './keras-layer.ts';

const PREPROCESSING_LAYER = 'preprocessing';

/**
 * Returns the preprocessing of 0..255 RGB images as one layer that loads without custom code; null if the base includes it.
 *
 * Caffe's preprocessing turns RGB into BGR. Of Keras' layers only `Lambda` permutes channels, and `load_model` refuses it in safe
 * mode. So this is a frozen 1×1 convolution whose kernel is the permutation and whose bias is minus the mean. It is exact, since
 * each output is 1 · one channel + 0 · the others.
 */
export function preprocessingLayer(preprocessing: Preprocessing, input: string, imageSize: number): KerasLayer | null {
  const common = { name: PREPROCESSING_LAYER, inputs: [input], shape: [imageSize, imageSize, 3], trainable: false };
  const rescaling = (scale: ConfigValue, offset: ConfigValue): KerasLayer => ({
    ...common,
    className: 'Rescaling',
    config: { scale, offset },
    weights: [],
  });
  switch (preprocessing) {
    case 'none':
      return null;
    case 'tf':
      return rescaling(1 / 127.5, -1);
    case 'efficientnet_lite':
      return rescaling(1 / 128, -127 / 128);
    case 'torch': {
      const scale = TORCH_DEVIATION.map((deviation) => 1 / (255 * deviation));
      const offset = TORCH_MEAN.map((mean, channel) => -mean / (TORCH_DEVIATION[channel] ?? 1));
      return rescaling(scale, offset);
    }
    case 'caffe':
      return {
        ...common,
        className: 'Conv2D',
        config: {
          filters: 3,
          kernel_size: [1, 1],
          strides: [1, 1],
          padding: 'valid',
          activation: 'linear',
          use_bias: true,
        },
        weights: [
          // [in, out]: blue (2) becomes the first channel, red (0) the last.
          { name: 'kernel', shape: [1, 1, 3, 3], values: Float32Array.of(0, 0, 1, 0, 1, 0, 1, 0, 0) },
          { name: 'bias', shape: [3], values: Float32Array.from(CAFFE_MEAN, (mean) => -mean) },
        ],
      };
  }
}
