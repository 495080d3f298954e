import { kerasFile } from '../backbone-definition.ts';
import type { BackboneDefinition } from '../backbone-definition.ts';
import { LayerList } from '../layer-list.ts';
import type { Layer } from '../layer.ts';

/** Filters of the two separable convolutions of the blocks whose shortcut is a strided convolution. */
const STRIDED_BLOCKS = [
  { block: 'block2', filters: [128, 128] },
  { block: 'block3', filters: [256, 256] },
  { block: 'block4', filters: [728, 728] },
] as const;
const MIDDLE_FILTERS = 728;
const FIRST_MIDDLE_BLOCK = 5;
const LAST_MIDDLE_BLOCK = 12;

/** `keras.applications.Xception(include_top=False)`. Shortcuts have the names of a fresh session: `conv2d`, `add_1`, … */
function xceptionLayers(): readonly Layer[] {
  const list = new LayerList();
  list.block = 'block1';
  let output = list.conv('block1_conv1', null, { filters: 32, kernelSize: 3, stride: 2, useBias: false });
  output = pushNormAndRelu(list, 'block1_conv1', output);
  output = list.conv('block1_conv2', output, { filters: 64, kernelSize: 3, useBias: false });
  output = pushNormAndRelu(list, 'block1_conv2', output);
  for (const { block, filters } of STRIDED_BLOCKS) {
    list.block = block;
    output = pushStridedBlock(list, output, filters, block !== 'block2');
  }
  for (let index = FIRST_MIDDLE_BLOCK; index <= LAST_MIDDLE_BLOCK; index++) {
    list.block = `block${index}`;
    output = pushMiddleBlock(list, output);
  }
  list.block = 'block13';
  output = pushStridedBlock(list, output, [MIDDLE_FILTERS, 1024], true);
  list.block = 'block14';
  for (const [index, filters] of [1536, 2048].entries()) {
    const name = `block14_sepconv${index + 1}`;
    output = pushNormAndRelu(list, name, list.separable(name, output, { filters, kernelSize: 3 }));
  }
  return list.layers;
}

/** @param startsWithRelu false only where the layer before has applied it. */
function pushStridedBlock(
  list: LayerList,
  input: string,
  filters: readonly [number, number],
  startsWithRelu: boolean,
): string {
  const { block } = list;
  const options = { filters: filters[1], kernelSize: 1, stride: 2, padding: 'same', useBias: false } as const;
  const shortcut = list.norm(null, list.conv(null, input, options));
  let output = startsWithRelu ? list.activation(`${block}_sepconv1_act`, input, 'relu') : input;
  output = list.separable(`${block}_sepconv1`, output, { filters: filters[0], kernelSize: 3 });
  output = list.norm(`${block}_sepconv1_bn`, output);
  output = list.activation(`${block}_sepconv2_act`, output, 'relu');
  output = list.separable(`${block}_sepconv2`, output, { filters: filters[1], kernelSize: 3 });
  output = list.norm(`${block}_sepconv2_bn`, output);
  output = list.maxPool(`${block}_pool`, output, { poolSize: 3, stride: 2, padding: 'same' });
  return list.add(null, [output, shortcut]);
}

function pushMiddleBlock(list: LayerList, input: string): string {
  let output = input;
  for (let index = 1; index <= 3; index++) {
    const name = `${list.block}_sepconv${index}`;
    output = list.activation(`${name}_act`, output, 'relu');
    output = list.separable(name, output, { filters: MIDDLE_FILTERS, kernelSize: 3 });
    output = list.norm(`${name}_bn`, output);
  }
  return list.add(null, [output, input]);
}

function pushNormAndRelu(list: LayerList, name: string, input: string): string {
  return list.activation(`${name}_act`, list.norm(`${name}_bn`, input), 'relu');
}

const XCEPTION: BackboneDefinition<'xception'> = {
  name: 'xception',
  layers: xceptionLayers,
  minimumImageSize: 71,
  preprocessing: 'tf',
  imagenet: kerasFile(
    'xception',
    'xception_weights_tf_dim_ordering_tf_kernels_notop.h5',
    'b0042744bf5b25fce3cb969f33bebb97',
  ),
};

export const XCEPTIONS = [XCEPTION] as const;
