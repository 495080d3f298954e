import { kerasFile } from '../backbone-definition.ts';
import type { BackboneDefinition } from '../backbone-definition.ts';
import { LayerList } from '../layer-list.ts';
import type { Layer } from '../layer.ts';

/** `1.001e-5` everywhere in Keras' file. */
const EPSILON = 1.001e-5;

/** Residual blocks of the stages conv2 to conv5. */
type ResNetDepths = readonly [number, number, number, number];

const RESNET50: ResNetDepths = [3, 4, 6, 3];
const RESNET101: ResNetDepths = [3, 4, 23, 3];
const RESNET152: ResNetDepths = [3, 8, 36, 3];

const STAGE_FILTERS = [64, 128, 256, 512] as const;

interface BlockSpec {
  readonly name: string;
  readonly filters: number;
  readonly stride: number;
  /** true if the shortcut contains a convolution. */
  readonly convShortcut: boolean;
}

/** `keras.applications.ResNet50(include_top=False)` and its deeper siblings. */
function resNetLayers(depths: ResNetDepths): readonly Layer[] {
  const list = new LayerList();
  list.block = 'conv1';
  let output = list.zeroPad('conv1_pad', null, [3, 3]);
  output = list.conv('conv1_conv', output, { filters: 64, kernelSize: 7, stride: 2 });
  output = list.activation('conv1_relu', list.norm('conv1_bn', output, EPSILON), 'relu');
  output = pushStemPool(list, output);
  for (const [stage, depth] of depths.entries()) {
    list.block = `conv${stage + 2}`;
    for (let index = 1; index <= depth; index++) {
      const stride = index === 1 && stage > 0 ? 2 : 1;
      const name = `${list.block}_block${index}`;
      output = pushBlock(list, output, { name, filters: STAGE_FILTERS[stage] ?? 0, stride, convShortcut: index === 1 });
    }
  }
  return list.layers;
}

function pushBlock(list: LayerList, input: string, { name, filters, stride, convShortcut }: BlockSpec): string {
  let shortcut = input;
  if (convShortcut) {
    shortcut = list.conv(`${name}_0_conv`, input, { filters: 4 * filters, kernelSize: 1, stride });
    shortcut = list.norm(`${name}_0_bn`, shortcut, EPSILON);
  }
  let output = list.conv(`${name}_1_conv`, input, { filters, kernelSize: 1, stride });
  output = list.activation(`${name}_1_relu`, list.norm(`${name}_1_bn`, output, EPSILON), 'relu');
  output = list.conv(`${name}_2_conv`, output, { filters, kernelSize: 3, padding: 'same' });
  output = list.activation(`${name}_2_relu`, list.norm(`${name}_2_bn`, output, EPSILON), 'relu');
  output = list.conv(`${name}_3_conv`, output, { filters: 4 * filters, kernelSize: 1 });
  output = list.norm(`${name}_3_bn`, output, EPSILON);
  return list.activation(`${name}_out`, list.add(`${name}_add`, [shortcut, output]), 'relu');
}

/** `keras.applications.ResNet50V2(include_top=False)` and its deeper siblings: normalisation before the convolutions. */
function resNetV2Layers(depths: ResNetDepths): readonly Layer[] {
  const list = new LayerList();
  list.block = 'conv1';
  let output = list.zeroPad('conv1_pad', null, [3, 3]);
  output = list.conv('conv1_conv', output, { filters: 64, kernelSize: 7, stride: 2 });
  output = pushStemPool(list, output);
  for (const [stage, depth] of depths.entries()) {
    list.block = `conv${stage + 2}`;
    for (let index = 1; index <= depth; index++) {
      // The last block of a stage halves the image, except in the last stage.
      const stride = index === depth && stage < depths.length - 1 ? 2 : 1;
      const name = `${list.block}_block${index}`;
      output = pushBlockV2(list, output, {
        name,
        filters: STAGE_FILTERS[stage] ?? 0,
        stride,
        convShortcut: index === 1,
      });
    }
  }
  return finishV2(list, output);
}

function pushBlockV2(list: LayerList, input: string, { name, filters, stride, convShortcut }: BlockSpec): string {
  const before = list.activation(`${name}_preact_relu`, list.norm(`${name}_preact_bn`, input, EPSILON), 'relu');
  let shortcut = input;
  if (convShortcut) {
    shortcut = list.conv(`${name}_0_conv`, before, { filters: 4 * filters, kernelSize: 1, stride });
  } else if (stride > 1) {
    shortcut = list.maxPool(null, input, { poolSize: 1, stride, padding: 'valid' });
  }
  let output = list.conv(`${name}_1_conv`, before, { filters, kernelSize: 1, useBias: false });
  output = list.activation(`${name}_1_relu`, list.norm(`${name}_1_bn`, output, EPSILON), 'relu');
  output = list.zeroPad(`${name}_2_pad`, output, [1, 1]);
  output = list.conv(`${name}_2_conv`, output, { filters, kernelSize: 3, stride, useBias: false });
  output = list.activation(`${name}_2_relu`, list.norm(`${name}_2_bn`, output, EPSILON), 'relu');
  output = list.conv(`${name}_3_conv`, output, { filters: 4 * filters, kernelSize: 1 });
  return list.add(`${name}_out`, [shortcut, output]);
}

function pushStemPool(list: LayerList, input: string): string {
  const padded = list.zeroPad('pool1_pad', input, [1, 1]);
  return list.maxPool('pool1_pool', padded, { poolSize: 3, stride: 2, padding: 'valid' });
}

/** Appends the final normalisation, which belongs to the last block. */
function finishV2(list: LayerList, input: string): readonly Layer[] {
  list.activation('post_relu', list.norm('post_bn', input, EPSILON), 'relu');
  return list.layers;
}

function resNet<Name extends string>(name: Name, depths: ResNetDepths, md5: string): BackboneDefinition<Name> {
  const imagenet = kerasFile('resnet', `${name}_weights_tf_dim_ordering_tf_kernels_notop.h5`, md5);
  return { name, layers: () => resNetLayers(depths), preprocessing: 'caffe', imagenet };
}

function resNetV2<Name extends string>(name: Name, depths: ResNetDepths, md5: string): BackboneDefinition<Name> {
  const fileName = `${name.replace('_', '')}_weights_tf_dim_ordering_tf_kernels_notop.h5`;
  const imagenet = kerasFile('resnet', fileName, md5);
  return { name, layers: () => resNetV2Layers(depths), preprocessing: 'tf', imagenet };
}

export const RESNETS = [
  resNet('resnet50', RESNET50, '4d473c1dd8becc155b73f8504c6f6626'),
  resNet('resnet101', RESNET101, '88cf7a10940856eca736dc7b7e228a21'),
  resNet('resnet152', RESNET152, 'ee4c566cf9a93f14d82f913c2dc6dd0c'),
  resNetV2('resnet50_v2', RESNET50, 'fac2f116257151a9d068a22e544a4917'),
  resNetV2('resnet101_v2', RESNET101, 'c0ed64b8031c3730f411d2eb4eea35b5'),
  resNetV2('resnet152_v2', RESNET152, 'ed17cf2e0169df9d443503ef94b23b33'),
] as const;
