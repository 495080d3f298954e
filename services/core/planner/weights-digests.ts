import type { BackboneConfig, RunConfig } from '../run-config.ts';
import type { WeightsInfo, WeightsReference } from '../task.ts';

/** Digest of the weights of a backbone. */
export type WeightsDigest = (backbone: BackboneConfig) => string;

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

/** Returns the digests that INDEX found. They throw `UnresolvedWeightsError` for weights that it was not asked for. */
export function digestsOf(weights: readonly WeightsInfo[]): WeightsDigest {
  return (backbone) => {
    const info = weights.find((found) => found.backbone === backbone.name && found.weights === backbone.weights);
    if (info === undefined) throw new UnresolvedWeightsError(backbone.name, backbone.weights);
    return info.digest;
  };
}

/** Returns the distinct weights that the runs name, in the order of the runs: what INDEX must resolve. */
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
