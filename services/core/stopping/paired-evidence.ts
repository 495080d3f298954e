import type { Objective } from '../objective.ts';
import type { Evidence } from '../statistics/evidence.ts';
import { discordance } from '../statistics/evidence.ts';
import { mcnemarMidP } from '../statistics/mcnemar.ts';
import { comparePairedLosses } from '../statistics/paired-loss.ts';
import { significant } from '../text/significant.ts';

const P_VALUE_DIGITS = 6;

/** A run in a comparison. */
export interface NamedEvidence {
  /** Name within the sentence, such as "run 12". */
  readonly name: string;
  /** Null: the trainer sent none. */
  readonly evidence: Evidence | null;
}

/** A comparison of two runs on the same validation images. */
export interface PairedComparison {
  /** One-sided: small if the candidate is worse than the reference. */
  readonly pValue: number;
  /** The evidence in words: "31 images only run 12 is right on, 12 only run 7". */
  readonly shown: string;
}

/** The reason for which two runs can't be compared image by image. */
export interface Unpaired {
  readonly pValue: null;
  readonly reason: string;
}

/**
 * Tests whether a candidate is worse than a reference, by outcomes for val_accuracy and by losses for val_loss. Metrics by class have
 * no value for a single image, and so no paired test.
 */
export function compareEvidence(
  { metric }: Objective,
  { name: candidateName, evidence: candidate }: NamedEvidence,
  { name: referenceName, evidence: reference }: NamedEvidence,
): PairedComparison | Unpaired {
  if (metric !== 'val_accuracy' && metric !== 'val_loss') {
    return { pValue: null, reason: `${metric} has no value for each image` };
  }
  if (candidate === null || reference === null) {
    return { pValue: null, reason: 'the trainer sent no results for each image' };
  }
  if (candidate.count !== reference.count || candidate.count === 0) {
    return { pValue: null, reason: `the runs have ${candidate.count} and ${reference.count} validation images` };
  }
  if (metric === 'val_accuracy') {
    const { firstOnly, secondOnly } = discordance(reference, candidate);
    const shown = `${firstOnly} images only ${referenceName} is right on, ${secondOnly} only ${candidateName}`;
    return { pValue: rounded(mcnemarMidP(firstOnly, secondOnly)), shown };
  }
  const losses = comparePairedLosses(candidate, reference);
  if (losses === null) return { pValue: null, reason: 'the trainer sent no finite losses for each image' };
  const { meanDifference, pValue } = losses;
  const distance = `${significant(Math.abs(meanDifference))} ${meanDifference > 0 ? 'above' : 'below'}`;
  const relation = meanDifference === 0 ? 'equal to' : distance;
  const shown = `${candidateName}'s loss is ${relation} ${referenceName}'s, on average over ${candidate.count} images`;
  return { pValue: rounded(pValue), shown };
}

/** Rounds, so that the last bits of a logarithm on another machine change no decision and no replay. */
function rounded(pValue: number): number {
  return Number(pValue.toPrecision(P_VALUE_DIGITS));
}
