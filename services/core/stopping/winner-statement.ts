import type { Objective } from '../objective.ts';
import type { Evidence } from '../statistics/evidence.ts';
import { significant } from '../text/significant.ts';
import { compareEvidence } from './paired-evidence.ts';

/** Chance of calling the best of equal runs distinguishable, as of the 95 % interval on the test split. */
const ALPHA = 0.05;

/** A run that is compared with another one on the validation images. */
export interface MeasuredRun {
  readonly runIndex: number;
  readonly evidence: Evidence | null;
}

/** The answer to whether the best run of a sweep is better than its baseline, or only lucky. */
export interface WinnerStatement {
  /** Null: the runs can't be compared image by image. */
  readonly distinguishable: boolean | null;
  /** One-sided p value of the two runs alone. */
  readonly pValue: number | null;
  /** The same, corrected for the choice of the best of `runCount` runs. */
  readonly correctedPValue: number | null;
  /** A sentence for people, with the numbers. */
  readonly reason: string;
}

/**
 * States whether the best run is distinguishable from the baseline on the validation images that chose it.
 *
 * The best of K runs that are equal to the baseline is better than it by luck: by 1.7 points of 48 runs on 500 images that differ on
 * 6 % of them. So the paired p value is multiplied by the number of runs that could have been chosen (Bonferroni; Dunn 1961, JASA
 * 56). It bounds the chance of a false claim by 5 % however the runs depend on each other, and is exact where they are independent.
 *
 * @param runCount number of runs from which the best was chosen, the baseline included.
 */
export function stateWinner(
  objective: Objective,
  best: MeasuredRun,
  baseline: MeasuredRun,
  runCount: number,
): WinnerStatement {
  const unknown = { distinguishable: null, pValue: null, correctedPValue: null };
  if (best.runIndex === baseline.runIndex) {
    return { ...unknown, distinguishable: false, reason: 'the baseline is the best run' };
  }
  const comparison = compareEvidence(
    objective,
    { name: 'the baseline', evidence: baseline.evidence },
    { name: `run ${best.runIndex}`, evidence: best.evidence },
  );
  if (comparison.pValue === null) {
    return { ...unknown, reason: `not compared with the baseline: ${comparison.reason}` };
  }
  const { pValue, shown } = comparison;
  const choices = Math.max(1, runCount - 1);
  const correctedPValue = Math.min(1, pValue * choices);
  const distinguishable = correctedPValue < ALPHA;
  const claim = distinguishable ? 'better than' : 'not distinguishable from';
  const test = `p = ${significant(correctedPValue, 2)} ${distinguishable ? '<' : '≥'} ${ALPHA}`;
  const correction = `corrected for the best of ${runCount} runs`;
  const reason = `run ${best.runIndex} is ${claim} the baseline: ${shown}, ${test}, ${correction}`;
  return { distinguishable, pValue, correctedPValue, reason };
}
