import { BackboneError } from './backbone.ts';
import { efficientNetLite0Layers } from './efficientnet-lite.ts';
import type { Layer } from './layer.ts';
import { mobileNetV2Layers } from './mobilenet-v2.ts';
import type { Preprocessing } from './preprocessing.ts';
import { vgg16Layers } from './vgg.ts';

/** Where the `imagenet` weights of a base come from. */
export interface WeightSource {
  /** In `<cacheDir>/weights`, `~/.keras/models` or as downloaded. */
  readonly fileName: string;
  /** null: made at set-up, not downloaded. */
  readonly url: string | null;
  /** As in the source of `keras.applications`; null: Keras has none for this file. */
  readonly md5: string | null;
  readonly sizeBytes: number | null;
}

export interface BackboneDefinition {
  readonly name: string;
  readonly layers: (inputSize: number) => readonly Layer[];
  readonly preprocessing: Preprocessing;
  readonly imagenet: WeightSource;
}

const KERAS_ADDRESS = 'https://storage.googleapis.com/tensorflow/keras-applications';

const DEFINITIONS: readonly BackboneDefinition[] = [
  {
    name: 'vgg16',
    layers: vgg16Layers,
    preprocessing: 'caffe',
    imagenet: {
      fileName: 'vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5',
      url: `${KERAS_ADDRESS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5`,
      md5: '6d6bbae143d832006294945121d1f1fc',
      sizeBytes: 58_889_256,
    },
  },
  {
    name: 'mobilenet_v2',
    layers: (inputSize) => mobileNetV2Layers(1, inputSize),
    preprocessing: 'tf',
    imagenet: {
      fileName: 'mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5',
      url: `${KERAS_ADDRESS}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5`,
      md5: null,
      sizeBytes: null,
    },
  },
  {
    name: 'efficientnet_lite0',
    layers: efficientNetLite0Layers,
    preprocessing: 'efficientnet_lite',
    imagenet: {
      fileName: 'efficientnet_lite0_imagenet.safetensors',
      url: null,
      md5: null,
      sizeBytes: null,
    },
  },
];

export const REGISTERED_BACKBONES: readonly string[] = DEFINITIONS.map(({ name }) => name);

/** @throws BackboneError that lists the known ones. */
export function backboneDefinition(name: string): BackboneDefinition {
  const definition = DEFINITIONS.find((candidate) => candidate.name === name);
  if (definition !== undefined) return definition;
  throw new BackboneError(`There is no backbone "${name}". Known: ${REGISTERED_BACKBONES.join(', ')}.`, {
    backbone: name,
  });
}
