import type { LayerInfo } from '../../../../services/core/network/layer-graph.ts';

/** VGG16's layers without the input, as in Keras. */
export const VGG16_LAYERS: readonly LayerInfo[] = [2, 2, 3, 3, 3].flatMap((convolutions, index) => {
  const block = `block${index + 1}`;
  const names = Array.from({ length: convolutions }, (_, position) => `${block}_conv${position + 1}`);
  return [...names, `${block}_pool`].map((name) => ({ name, block, splittable: true }));
});

/** A stem and two residual blocks: inside a block a branch goes past every layer. */
export const RESIDUAL_LAYERS: readonly LayerInfo[] = [
  { name: 'stem', block: 'stem', splittable: true },
  ...['b1', 'b2'].flatMap((block) => [
    { name: `${block}_conv`, block, splittable: false },
    { name: `${block}_bn`, block, splittable: false },
    { name: `${block}_add`, block, splittable: true },
  ]),
];
