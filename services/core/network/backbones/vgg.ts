import { kerasFile } from '../backbone-definition.ts';
import type { BackboneDefinition } from '../backbone-definition.ts';
import type { Layer } from '../layer.ts';

/** Convolutions per block and their filters (Simonyan and Zisserman 2014, configurations D and E). */
type VggBlocks = readonly (readonly [convolutionCount: number, filters: number])[];

const VGG16: VggBlocks = [
  [2, 64],
  [2, 128],
  [3, 256],
  [3, 512],
  [3, 512],
];

const VGG19: VggBlocks = [
  [2, 64],
  [2, 128],
  [4, 256],
  [4, 512],
  [4, 512],
];

/** `keras.applications.VGG16(include_top=False)` or VGG19 (Keras counts the input as one more layer). */
function vggLayers(blocks: VggBlocks): readonly Layer[] {
  const layers: Layer[] = [];
  let inputs: readonly string[] = [];
  for (const [blockIndex, [convolutionCount, filters]] of blocks.entries()) {
    const block = `block${blockIndex + 1}`;
    for (let index = 1; index <= convolutionCount; index++) {
      const name = `${block}_conv${index}`;
      const convolution = { kernelSize: 3, stride: 1, padding: 'same', useBias: true, activation: 'relu' } as const;
      layers.push({ kind: 'conv', name, block, inputs, filters, ...convolution });
      inputs = [name];
    }
    const name = `${block}_pool`;
    layers.push({ kind: 'max-pool', name, block, inputs, poolSize: 2, stride: 2, padding: 'valid' });
    inputs = [name];
  }
  return layers;
}

function vgg<Name extends string>(
  name: Name,
  blocks: VggBlocks,
  md5: string,
  sizeBytes: number | null = null,
): BackboneDefinition<Name> {
  const imagenet = kerasFile(name, `${name}_weights_tf_dim_ordering_tf_kernels_notop.h5`, md5, sizeBytes);
  return { name, layers: () => vggLayers(blocks), preprocessing: 'caffe', imagenet };
}

export const VGGS = [
  vgg('vgg16', VGG16, '6d6bbae143d832006294945121d1f1fc', 58_889_256),
  vgg('vgg19', VGG19, '253f8cb515780f3b799900260a226db6'),
] as const;
