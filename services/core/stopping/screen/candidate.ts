import type { RunConfig } from '../../run-config.ts';
import type { ProbeTarget } from '../../task.ts';

/** A base up to a cut, at an image size and with a pooling, that runs of the sweep have: the screen keeps it or leaves it out. */
export interface ScreenTarget extends ProbeTarget {
  /** `imagenet`, `random` or a path. */
  readonly weights: string;
}

/** Measurement of a probe. */
export interface ProbeEvidence {
  /** Bit i, the least significant first, is set if a model without image i predicts its class. */
  readonly correct: Uint8Array;
  readonly count: number;
  readonly logMe: number;
}

/** A candidate of a screen, with what its probe has brought. */
export interface ScreenCandidate extends ScreenTarget {
  /** Number within the sweep, from 0. */
  readonly position: number;
  /** Forecast slot-seconds of its features of all images: the price of keeping it. */
  readonly seconds: number;
  /** True: the baseline of the sweep has it. */
  readonly isBaseline: boolean;
  /** Null: its probe has not ended, or has no result. */
  readonly evidence: ProbeEvidence | null;
  /** Reason for which there is no result; null: there is one, or the probe has not ended. */
  readonly failure: string | null;
}

/** Returns the candidate that a run belongs to. A head that flattens is probed with average pooling: its thousands of values would fit any images. */
export function targetOf({ backbone, imageSize, head }: RunConfig): ScreenTarget {
  return {
    backbone: backbone.name,
    weights: backbone.weights,
    cut: backbone.cut,
    imageSize,
    pooling: head.pooling === 'max' ? 'max' : 'avg',
  };
}

export function targetKey({ backbone, weights, cut, imageSize, pooling }: ScreenTarget): string {
  return JSON.stringify([backbone, weights, cut, imageSize, pooling]);
}

/** Names a candidate by its backbone and by all in which the candidates of the sweep differ. */
export function nameOf(target: ScreenTarget, all: readonly ScreenTarget[]): string {
  const varies = (key: keyof ScreenTarget): boolean => new Set(all.map((other) => other[key])).size > 1;
  return [
    target.backbone,
    ...(varies('weights') && target.weights !== 'imagenet' ? [`with weights ${target.weights}`] : []),
    ...(varies('cut') && target.cut !== null ? [`up to ${target.cut}`] : []),
    ...(varies('imageSize') ? [`at ${target.imageSize} px`] : []),
    ...(varies('pooling') ? [target.pooling === 'max' ? 'with maximum pooling' : 'with average pooling'] : []),
  ].join(' ');
}
