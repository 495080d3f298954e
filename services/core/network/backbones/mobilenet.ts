import { kerasFile } from '../backbone-definition.ts';
import type { BackboneDefinition } from '../backbone-definition.ts';
import { LayerList } from '../layer-list.ts';
import type { Layer } from '../layer.ts';

/** Filters (before the width multiplier) and stride of each depthwise separable block. */
const BLOCKS = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
] as const;

/**
 * `keras.applications.MobileNet(include_top=False, alpha=alpha)`. Keras' layers `conv_dw_7`, `conv_pw_7`, … make up the
 * block `block_7`.
 */
function mobileNetLayers(alpha: number): readonly Layer[] {
  const list = new LayerList();
  list.block = 'conv1';
  const filters = Math.trunc(32 * alpha);
  const stem = { filters, kernelSize: 3, stride: 2, padding: 'same', useBias: false } as const;
  let output = list.conv('conv1', null, stem);
  output = list.activation('conv1_relu', list.norm('conv1_bn', output), 'relu6');
  for (const [index, [blockFilters, stride]] of BLOCKS.entries()) {
    list.block = `block_${index + 1}`;
    output = pushBlock(list, output, { number: index + 1, filters: Math.trunc(blockFilters * alpha), stride });
  }
  return list.layers;
}

interface BlockSpec {
  readonly number: number;
  readonly filters: number;
  readonly stride: number;
}

function pushBlock(list: LayerList, input: string, { number, filters, stride }: BlockSpec): string {
  const depthwise = `conv_dw_${number}`;
  const pointwise = `conv_pw_${number}`;
  const padded = stride === 1 ? input : list.zeroPad(`conv_pad_${number}`, input, [0, 1]);
  const padding = stride === 1 ? 'same' : 'valid';
  let output = list.depthwise(depthwise, padded, { kernelSize: 3, stride, padding });
  output = list.activation(`${depthwise}_relu`, list.norm(`${depthwise}_bn`, output), 'relu6');
  output = list.conv(pointwise, output, { filters, kernelSize: 1, padding: 'same', useBias: false });
  return list.activation(`${pointwise}_relu`, list.norm(`${pointwise}_bn`, output), 'relu6');
}

/** Keras publishes files for several image sizes; this uses the one of 224 pixels, as Keras does for any other size. */
function mobileNet<Name extends string>(name: Name, alpha: number, alphaText: string): BackboneDefinition<Name> {
  const imagenet = kerasFile('mobilenet', `mobilenet_${alphaText}_224_tf_no_top.h5`, null);
  return { name, layers: () => mobileNetLayers(alpha), preprocessing: 'tf', imagenet };
}

export const MOBILENETS = [
  mobileNet('mobilenet', 1, '1_0'),
  mobileNet('mobilenet_0.25', 0.25, '2_5'),
  mobileNet('mobilenet_0.5', 0.5, '5_0'),
  mobileNet('mobilenet_0.75', 0.75, '7_5'),
] as const;
