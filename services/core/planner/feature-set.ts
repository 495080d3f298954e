import { digestOf } from '../digest.ts';
import type { HeadConfig } from '../run-config.ts';
import type { FeatureSetIdentity, Pooling } from '../task.ts';

/** A feature set with its name; it may not be computed yet. */
export interface KeyedFeatureSet extends FeatureSetIdentity {
  readonly key: string;
}

/**
 * Names a feature set: SHA-256, hexadecimal, over everything its numbers depend on. Preprocessing belongs to the weights, so
 * it is not written; nor is float32, so that the names of files from before there was a choice hold. `version` changes when
 * the meaning of the file does.
 */
export function featureSetKey(identity: FeatureSetIdentity): string {
  return digestOf({
    version: 1,
    datasetDigest: identity.datasetDigest,
    split: identity.split,
    backbone: identity.backbone,
    weightsDigest: identity.weightsDigest,
    cut: identity.cut,
    imageSize: identity.imageSize,
    pooling: identity.pooling,
    ...(identity.dtype === 'float32' ? {} : { dtype: identity.dtype }),
  });
}

export function withKey(identity: FeatureSetIdentity): KeyedFeatureSet {
  return { ...identity, key: featureSetKey(identity) };
}

/** A head that flattens reads the whole outputs; one that pools reads pooled ones, which are hundreds of times smaller. */
export function poolingOf(head: HeadConfig): Pooling {
  return head.pooling === 'flatten' ? 'none' : head.pooling;
}
