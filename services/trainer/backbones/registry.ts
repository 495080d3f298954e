import { BackboneError } from '../../core/network/backbone-error.ts';
import { DENSENET121, DENSENET169, DENSENET201, denseNetLayers } from '../../core/network/backbones/densenet.ts';
import type { DenseNetDepths } from '../../core/network/backbones/densenet.ts';
import { efficientNetLite0Layers } from '../../core/network/backbones/efficientnet-lite.ts';
import { EFFICIENTNET_V2_SCALES, efficientNetV2Layers } from '../../core/network/backbones/efficientnet-v2.ts';
import { EFFICIENTNET_SCALES, efficientNetLayers } from '../../core/network/backbones/efficientnet.ts';
import type { EfficientNetScale } from '../../core/network/backbones/efficientnet.ts';
import type { Layer } from '../../core/network/layer.ts';
import { mobileNetV2Layers } from '../../core/network/backbones/mobilenet-v2.ts';
import { mobileNetLayers } from '../../core/network/backbones/mobilenet.ts';
import type { Preprocessing } from './preprocessing.ts';
import { RESNET101, RESNET152, RESNET50, resNetLayers, resNetV2Layers } from '../../core/network/backbones/resnet.ts';
import type { ResNetDepths } from '../../core/network/backbones/resnet.ts';
import { VGG16, VGG19, vggLayers } from '../../core/network/backbones/vgg.ts';
import type { VggBlocks } from '../../core/network/backbones/vgg.ts';
import { xceptionLayers } from '../../core/network/backbones/xception.ts';

/** Where the `imagenet` weights of a base come from. */
interface WeightSource {
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
  /** Where Keras adds layers for its published weights: the layers with these. They need the same weights. */
  readonly publishedLayers?: (inputSize: number) => readonly Layer[];
  readonly preprocessing: Preprocessing;
  readonly imagenet: WeightSource;
}

const KERAS_ADDRESS = 'https://storage.googleapis.com/tensorflow/keras-applications';
/** The first EfficientNets lie elsewhere. */
const EFFICIENTNET_ADDRESS = 'https://storage.googleapis.com/keras-applications';

/** In the order of `BACKBONE_NAMES`. Widths (Keras' `alpha`) other than 1 are part of the name. */
const DEFINITIONS: readonly BackboneDefinition[] = [
  vgg('vgg16', VGG16, '6d6bbae143d832006294945121d1f1fc', 58_889_256),
  vgg('vgg19', VGG19, '253f8cb515780f3b799900260a226db6', null),
  {
    name: 'xception',
    layers: xceptionLayers,
    preprocessing: 'tf',
    imagenet: kerasFile(
      'xception',
      'xception_weights_tf_dim_ordering_tf_kernels_notop.h5',
      'b0042744bf5b25fce3cb969f33bebb97',
    ),
  },
  resNet('resnet50', RESNET50, '4d473c1dd8becc155b73f8504c6f6626'),
  resNet('resnet101', RESNET101, '88cf7a10940856eca736dc7b7e228a21'),
  resNet('resnet152', RESNET152, 'ee4c566cf9a93f14d82f913c2dc6dd0c'),
  resNetV2('resnet50_v2', RESNET50, 'fac2f116257151a9d068a22e544a4917'),
  resNetV2('resnet101_v2', RESNET101, 'c0ed64b8031c3730f411d2eb4eea35b5'),
  resNetV2('resnet152_v2', RESNET152, 'ed17cf2e0169df9d443503ef94b23b33'),
  mobileNet(1, '1_0'),
  mobileNet(0.25, '2_5'),
  mobileNet(0.5, '5_0'),
  mobileNet(0.75, '7_5'),
  ...[1, 0.35, 0.5, 0.75, 1.3, 1.4].map(mobileNetV2),
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
  ...[
    '50bc09e76180e00e4465e1a485ddc09d',
    '74c4e6b3e1f6a1eea24c589628592432',
    '111f8e2ac8aa800a7a99e3239f7bfb39',
    'af6d107764bb5b1abb91932881670226',
    'ebc24e6d6c33eaebbd558eafbeedf1ba',
    '38879255a25d3c92d5e44e04ae6cec6f',
    '9ecce42647a20130c1f39a5d4cb75743',
    'cbcfe4450ddf6f3ad90b1b398090fe4a',
  ].map((md5, index) => efficientNet(index, EFFICIENTNET_SCALES[index] as EfficientNetScale, md5)),
  ...[
    '893217f2bb855e2983157299931e43ff',
    '0e80663031ca32d657f9caa404b6ec37',
    '1dfe2e7a5d45b6632553a8961ea609eb',
    'f6abf7b5849ac99a89b50dd3fd532856',
  ].map((md5, index) => efficientNetV2(index, EFFICIENTNET_V2_SCALES[index] as EfficientNetScale, md5)),
  denseNet('densenet121', DENSENET121, '30ee3e1110167f948a6b9946edeeb738'),
  denseNet('densenet169', DENSENET169, 'b8c4d4c20dd625c148057b9ff1c1176b'),
  denseNet('densenet201', DENSENET201, 'c13680b51ded0fb44dff2d8f86ac8bb1'),
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

function kerasFile(
  folder: string,
  fileName: string,
  md5: string | null,
  sizeBytes: number | null = null,
): WeightSource {
  return { fileName, url: `${KERAS_ADDRESS}/${folder}/${fileName}`, md5, sizeBytes };
}

function vgg(name: string, blocks: VggBlocks, md5: string, sizeBytes: number | null): BackboneDefinition {
  const imagenet = kerasFile(name, `${name}_weights_tf_dim_ordering_tf_kernels_notop.h5`, md5, sizeBytes);
  return { name, layers: () => vggLayers(blocks), preprocessing: 'caffe', imagenet };
}

function resNet(name: string, depths: ResNetDepths, md5: string): BackboneDefinition {
  const imagenet = kerasFile('resnet', `${name}_weights_tf_dim_ordering_tf_kernels_notop.h5`, md5);
  return { name, layers: () => resNetLayers(depths), preprocessing: 'caffe', imagenet };
}

function resNetV2(name: string, depths: ResNetDepths, md5: string): BackboneDefinition {
  const fileName = `${name.replace('_', '')}_weights_tf_dim_ordering_tf_kernels_notop.h5`;
  const imagenet = kerasFile('resnet', fileName, md5);
  return { name, layers: () => resNetV2Layers(depths), preprocessing: 'tf', imagenet };
}

/** Keras publishes files of several image sizes; like Keras for other sizes, this takes the one of 224 pixels. */
function mobileNet(alpha: number, alphaText: string): BackboneDefinition {
  const imagenet = kerasFile('mobilenet', `mobilenet_${alphaText}_224_tf_no_top.h5`, null);
  const name = alpha === 1 ? 'mobilenet' : `mobilenet_${alpha}`;
  return { name, layers: () => mobileNetLayers(alpha), preprocessing: 'tf', imagenet };
}

function mobileNetV2(alpha: number): BackboneDefinition {
  // Python writes a float with its decimal point.
  const alphaText = Number.isInteger(alpha) ? alpha.toFixed(1) : String(alpha);
  const fileName = `mobilenet_v2_weights_tf_dim_ordering_tf_kernels_${alphaText}_224_no_top.h5`;
  return {
    name: alpha === 1 ? 'mobilenet_v2' : `mobilenet_v2_${alpha}`,
    layers: (inputSize) => mobileNetV2Layers(alpha, inputSize),
    preprocessing: 'tf',
    imagenet: kerasFile('mobilenet_v2', fileName, null),
  };
}

function efficientNet(index: number, scale: EfficientNetScale, md5: string): BackboneDefinition {
  const fileName = `efficientnetb${index}_notop.h5`;
  return {
    name: `efficientnet_b${index}`,
    layers: (inputSize) => efficientNetLayers({ ...scale, inputSize, published: false }),
    publishedLayers: (inputSize) => efficientNetLayers({ ...scale, inputSize, published: true }),
    preprocessing: 'none',
    imagenet: { fileName, url: `${EFFICIENTNET_ADDRESS}/${fileName}`, md5, sizeBytes: null },
  };
}

function efficientNetV2(index: number, scale: EfficientNetScale, md5: string): BackboneDefinition {
  const imagenet = kerasFile('efficientnet_v2', `efficientnetv2-b${index}_notop.h5`, md5);
  const layers = (): readonly Layer[] => efficientNetV2Layers(scale);
  return { name: `efficientnet_v2_b${index}`, layers, preprocessing: 'none', imagenet };
}

function denseNet(name: string, depths: DenseNetDepths, md5: string): BackboneDefinition {
  const imagenet = kerasFile('densenet', `${name}_weights_tf_dim_ordering_tf_kernels_notop.h5`, md5);
  return { name, layers: () => denseNetLayers(depths), preprocessing: 'torch', imagenet };
}
