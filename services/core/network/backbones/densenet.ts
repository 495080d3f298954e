import { kerasFile } from '../backbone-definition.ts';
import type { BackboneDefinition } from '../backbone-definition.ts';
import { LayerList } from '../layer-list.ts';
import type { Layer } from '../layer.ts';

/** `1.001e-5` everywhere in Keras' file. */
const EPSILON = 1.001e-5;
/** Channels that each convolution block adds. */
const GROWTH = 32;

/** Convolution blocks of the dense blocks conv2 to conv5. */
type DenseNetDepths = readonly [number, number, number, number];

const DENSENET121: DenseNetDepths = [6, 12, 24, 16];
const DENSENET169: DenseNetDepths = [6, 12, 32, 32];
const DENSENET201: DenseNetDepths = [6, 12, 48, 32];

/** `keras.applications.DenseNet121(include_top=False)` and its deeper siblings. */
function denseNetLayers(depths: DenseNetDepths): readonly Layer[] {
  const list = new LayerList();
  let channels = 64;
  list.block = 'conv1';
  let output = list.zeroPad(null, null, [3, 3]);
  output = list.conv('conv1_conv', output, { filters: channels, kernelSize: 7, stride: 2, useBias: false });
  output = list.activation('conv1_relu', list.norm('conv1_bn', output, EPSILON), 'relu');
  output = list.zeroPad(null, output, [1, 1]);
  output = list.maxPool('pool1', output, { poolSize: 3, stride: 2, padding: 'valid' });
  for (const [stage, depth] of depths.entries()) {
    list.block = `conv${stage + 2}`;
    for (let index = 1; index <= depth; index++) output = pushConvBlock(list, output, `${list.block}_block${index}`);
    channels += depth * GROWTH;
    if (stage === depths.length - 1) break;
    list.block = `pool${stage + 2}`;
    channels = Math.trunc(channels / 2);
    output = pushTransition(list, output, channels);
  }
  // The final normalisation counts to the last block.
  list.activation('relu', list.norm('bn', output, EPSILON), 'relu');
  return list.layers;
}

function pushConvBlock(list: LayerList, input: string, name: string): string {
  let output = list.activation(`${name}_0_relu`, list.norm(`${name}_0_bn`, input, EPSILON), 'relu');
  output = list.conv(`${name}_1_conv`, output, { filters: 4 * GROWTH, kernelSize: 1, useBias: false });
  output = list.activation(`${name}_1_relu`, list.norm(`${name}_1_bn`, output, EPSILON), 'relu');
  output = list.conv(`${name}_2_conv`, output, { filters: GROWTH, kernelSize: 3, padding: 'same', useBias: false });
  return list.concat(`${name}_concat`, [input, output]);
}

/** Halves channels and image. */
function pushTransition(list: LayerList, input: string, filters: number): string {
  const name = list.block;
  let output = list.activation(`${name}_relu`, list.norm(`${name}_bn`, input, EPSILON), 'relu');
  output = list.conv(`${name}_conv`, output, { filters, kernelSize: 1, useBias: false });
  return list.averagePool(`${name}_pool`, output, { poolSize: 2, stride: 2 });
}

function denseNet<Name extends string>(name: Name, depths: DenseNetDepths, md5: string): BackboneDefinition<Name> {
  const imagenet = kerasFile('densenet', `${name}_weights_tf_dim_ordering_tf_kernels_notop.h5`, md5);
  return { name, layers: () => denseNetLayers(depths), preprocessing: 'torch', imagenet };
}

export const DENSENETS = [
  denseNet('densenet121', DENSENET121, '30ee3e1110167f948a6b9946edeeb738'),
  denseNet('densenet169', DENSENET169, 'b8c4d4c20dd625c148057b9ff1c1176b'),
  denseNet('densenet201', DENSENET201, 'c13680b51ded0fb44dff2d8f86ac8bb1'),
] as const;
