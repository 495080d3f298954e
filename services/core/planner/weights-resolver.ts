import type { BackboneConfig, RunConfig } from '../run-config.ts';
import type { WeightsInfo, WeightsReference } from '../task.ts';
import { endOfBase, pointAfter } from './cost/base-cost.ts';
import type { BasePoint } from './cost/base-cost.ts';
import { layersUpTo, resolveUnfreeze } from '../network/resolve-unfreeze.ts';

/** What the planner must know of the weights; a preview answers from the parameters alone. */
export interface WeightsResolver {
  /** Digest of the weights. */
  digest(backbone: BackboneConfig): string;
  /** Checks that the base can end at its cut. Throws `UnknownLayerError`. */
  checkCut(backbone: BackboneConfig): void;
  /** End of the frozen prefix in fine-tuning; null: from the pixels. Throws `UnknownLayerError`. */
  prefixCut(backbone: BackboneConfig, unfreeze: string): string | null;
  /** Where in the base a cut or prefix lies, for its cost; null: its end. */
  pointAfter(backbone: string, cut: string | null): BasePoint;
}

/** The weights of a backbone were not resolved by INDEX; a mistake of the caller. */
export class UnresolvedWeightsError extends Error {
  readonly backbone: string;
  readonly weights: string;

  constructor(backbone: string, weights: string) {
    super(`The weights '${weights}' of backbone '${backbone}' are not among the resolved ones.`);
    this.name = 'UnresolvedWeightsError';
    this.backbone = backbone;
    this.weights = weights;
  }
}

/** Answers from what INDEX found. Throws `UnresolvedWeightsError` for weights that it was not asked for. */
export function resolverOf(weights: readonly WeightsInfo[]): WeightsResolver {
  const find = (backbone: BackboneConfig): WeightsInfo => {
    const info = weights.find((w) => w.backbone === backbone.name && w.weights === backbone.weights);
    if (info === undefined) throw new UnresolvedWeightsError(backbone.name, backbone.weights);
    return info;
  };
  return {
    digest: (backbone) => find(backbone).digest,
    checkCut: (backbone) => {
      layersUpTo(find(backbone).layers, backbone.cut);
    },
    prefixCut: (backbone, unfreeze) => resolveUnfreeze(find(backbone).layers, backbone.cut, unfreeze).prefixCut,
    pointAfter: (backbone, cut) => {
      // A base has the same layers whatever its weights are.
      const layers = weights.find((info) => info.backbone === backbone)?.layers ?? [];
      return cut === null || layers.length === 0 ? endOfBase(backbone) : pointAfter(layers, cut);
    },
  };
}

/** Distinct weights that the runs name, in the order of the runs: what INDEX must resolve. */
export function weightsReferencesOf(configs: readonly RunConfig[]): WeightsReference[] {
  const references = new Map<string, WeightsReference>();
  for (const { backbone } of configs) {
    references.set(JSON.stringify([backbone.name, backbone.weights]), {
      backbone: backbone.name,
      weights: backbone.weights,
    });
  }
  return [...references.values()];
}
