import { BackboneError } from '../../core/network/backbone-error.ts';
import { backboneGraph } from '../../core/network/backbone-graph.ts';
import { BACKBONE_NAMES } from '../../core/network/backbones.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';

/** Size at which every base can be built; weights don't depend on it. */
const SIZE = 224;

/** Names the backbone whose weights a refused file does hold, as `; it looks like …`; empty where there is none. */
export function otherBackboneHint(wanted: LayerGraph, fits: (other: LayerGraph) => boolean): string {
  const others = BACKBONE_NAMES.filter((name) => {
    if (name === wanted.backbone) return false;
    try {
      return fits(backboneGraph(name, SIZE));
    } catch (error) {
      if (error instanceof BackboneError) return false;
      throw error;
    }
  });
  return others.length === 0 ? '' : `; it holds weights of ${others.join(' or ')}`;
}
