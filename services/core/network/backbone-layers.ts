import type { BackboneConfig } from '../run-config.ts';
import { backboneGraph } from './backbone-graph.ts';
import { backboneDefinition } from './backbones.ts';
import type { LayerInfo } from './layer-graph.ts';
import { layersUpTo, resolveUnfreeze, UnknownLayerError } from './resolve-unfreeze.ts';

/** Any size does: names and order of the layers are the same for all. */
const SIZE = 224;

/**
 * Returns the lists of layers that a backbone may have with these weights, one or two. Keras adds layers for its published
 * weights, and only a trainer sees whether a file descends from them. The first list has only layers that the second has too.
 */
function layersWith({ name, weights }: BackboneConfig): readonly (readonly LayerInfo[])[] {
  const infos = (isPublished: boolean): readonly LayerInfo[] => backboneGraph(name, SIZE, isPublished).infos;
  if (backboneDefinition(name).publishedLayers === undefined || weights === 'random') return [infos(false)];
  return weights === 'imagenet' ? [infos(true)] : [infos(false), infos(true)];
}

/** Returns the layers of a backbone up to its cut. Throws `UnknownLayerError` when the base can't end there. */
export function layersOf(backbone: BackboneConfig): readonly LayerInfo[] {
  return firstThatFits(backbone, (layers) => layersUpTo(layers, backbone.cut));
}

/**
 * Returns the layer after which the frozen part ends in fine-tuning; null: training starts from the pixels.
 *
 * @param unfreeze as in `resolveUnfreeze`, and with its errors.
 */
export function prefixCutOf(backbone: BackboneConfig, unfreeze: string): string | null {
  return firstThatFits(backbone, (layers) => resolveUnfreeze(layers, backbone.cut, unfreeze).prefixCut);
}

function firstThatFits<T>(backbone: BackboneConfig, resolve: (layers: readonly LayerInfo[]) => T): T {
  const [first, ...others] = layersWith(backbone);
  try {
    return resolve(first ?? []);
  } catch (error) {
    const [other] = others;
    if (!(error instanceof UnknownLayerError) || other === undefined) throw error;
    return resolve(other);
  }
}
