import { BackboneError } from '../../core/network/backbone-error.ts';
import { buildLayerGraph } from '../../core/network/layer-graph.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import { REGISTERED_BACKBONES, backboneDefinition } from './registry.ts';

/** At which every base can be put together; weights don't depend on it. */
const SIZE = 224;

/** Names the backbone whose weights a refused file does hold, as `; it looks like …`; empty where there is none. */
export function otherBackboneHint(wanted: LayerGraph, fits: (other: LayerGraph) => boolean): string {
  const others = REGISTERED_BACKBONES.filter((name) => {
    if (name === wanted.backbone) return false;
    try {
      return fits(buildLayerGraph(name, backboneDefinition(name).layers(SIZE), SIZE));
    } catch (error) {
      if (error instanceof BackboneError) return false;
      throw error;
    }
  });
  return others.length === 0 ? '' : `; it holds weights of ${others.join(' or ')}`;
}
