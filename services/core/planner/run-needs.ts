import type { Split } from '../dataset.ts';
import { poolingOf, withKey } from './feature-set.ts';
import type { KeyedFeatureSet } from './feature-set.ts';
import type { PlannedRun } from './plan.ts';
import { prefixCutOf } from '../network/backbone-layers.ts';
import type { WeightsDigest } from './weights-digests.ts';

/** A run with the feature sets that its stages read. */
export interface RunNeeds {
  readonly run: PlannedRun;
  /** Empty if there is no head phase. */
  readonly head: readonly KeyedFeatureSet[];
  /** Empty without fine-tuning, or if all layers train. */
  readonly fineTune: readonly KeyedFeatureSet[];
  /** End of the frozen part in fine-tuning; null if there is none. */
  readonly fineTuneCut: string | null;
}

/** Returns the feature sets that a run needs. Throws {UnresolvedWeightsError} or {UnknownLayerError}. */
export function needsOf(run: PlannedRun, datasetDigest: string, digestOf: WeightsDigest): RunNeeds {
  const { config } = run;
  // Augmented training images differ in each epoch; only the validation images can be stored.
  const splits: readonly Split[] = config.method === 'cached' ? ['train', 'validation'] : ['validation'];
  const base = {
    datasetDigest,
    backbone: config.backbone.name,
    weightsDigest: digestOf(config.backbone),
    imageSize: config.imageSize,
    dtype: config.featureDtype,
  };
  const headSplits = config.epochs === 0 ? [] : splits;
  const head = headSplits.map((split) =>
    withKey({ ...base, split, cut: config.backbone.cut, pooling: poolingOf(config.head) }),
  );
  const fineTuneCut = config.fineTune === null ? null : prefixCutOf(config.backbone, config.fineTune.unfreeze);
  const fineTune =
    fineTuneCut === null ? [] : splits.map((split) => withKey({ ...base, split, cut: fineTuneCut, pooling: 'none' }));
  return { run, head, fineTune, fineTuneCut };
}
