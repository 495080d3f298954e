import type { Layer } from '../layer.ts';

/** Convolutions per block and their filters (Simonyan and Zisserman 2014, configurations D and E). */
export type VggBlocks = readonly (readonly [convolutionCount: number, filters: number])[];

export const VGG16: VggBlocks = [
  [2, 64],
  [2, 128],
  [3, 256],
  [3, 512],
  [3, 512],
];

export const VGG19: VggBlocks = [
  [2, 64],
  [2, 128],
  [4, 256],
  [4, 512],
  [4, 512],
];

/** `keras.applications.VGG16(include_top=False)` or VGG19 (Keras counts the input as one more layer). */
export function vggLayers(blocks: VggBlocks): readonly Layer[] {
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
