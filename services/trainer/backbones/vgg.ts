import type { Layer } from './layer.ts';

/** Convolutions per block and their filters (Simonyan and Zisserman 2014, configuration D). */
const VGG16_BLOCKS = [
  [2, 64],
  [2, 128],
  [3, 256],
  [3, 512],
  [3, 512],
] as const;

/** `keras.applications.VGG16(include_top=False)`: eighteen layers (Keras counts the input as the nineteenth). */
export function vgg16Layers(): readonly Layer[] {
  const layers: Layer[] = [];
  let inputs: readonly string[] = [];
  for (const [blockIndex, [convolutionCount, filters]] of VGG16_BLOCKS.entries()) {
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
