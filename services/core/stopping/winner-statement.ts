import type { Objective } from '../objective.ts';
import { isClassMetric } from '../objective.ts';
import type { WinnerStatement } from '../records/winner-statement.ts';
import type { Evidence } from '../statistics/evidence.ts';
import { significant } from '../text/significant.ts';
import { describeLevel } from './ladder.ts';
import type { RungDefinition } from './ladder.ts';
import { compareEvidence } from './paired-evidence.ts';

/** Chance of calling the best of equal runs distinguishable, as of the 95 % interval on the test split. */
const ALPHA = 0.05;

type Level = Pick<RungDefinition, 'stage' | 'epoch'>;

/** A run that is compared with another one on the validation images. */
export interface MeasuredRun {
  readonly runIndex: number;
  readonly evidence: Evidence | null;
  /** Epoch of the evidence, where it is not the run's best one. */
  readonly measuredAt?: { readonly stage: RungDefinition['stage']; readonly epoch: number };
}

/** Metrics by class have no value for a single image, so that their runs are compared by accuracy. */
const ACCURACY: Objective = { metric: 'val_accuracy', goal: 'maximize' };

/**
 * States whether the best run is distinguishable from the baseline on the validation images that chose it.
 *
 * The best of K runs that are equal to the baseline is better than it by luck: by 1.7 points of 48 runs on 500 images that differ on
 * 6 % of them. So the paired p value is multiplied by the number of runs that could have been chosen (Bonferroni; Dunn 1961, JASA
 * 56). It bounds the chance of a false claim by 5 % however the runs depend on each other, and is exact where they are independent.
 *
 * A baseline that no rule trained to its end is compared at the last rung that both runs came to: by its best epoch it would be worse
 * than any run that was trained longer, an equal one included.
 *
 * @param runCount number of runs from which the best was chosen, the baseline included.
 * @param rung where both were measured; null: each by its own best epoch.
 */
export function stateWinner(
  objective: Objective,
  best: MeasuredRun,
  baseline: MeasuredRun,
  runCount: number,
  rung: Level | null = null,
): WinnerStatement {
  if (best.runIndex === baseline.runIndex) {
    return { distinguishable: false, pValue: null, sentence: `The baseline is the best of ${runCount} runs.` };
  }
  const name = `run ${best.runIndex}`;
  const isByClass = isClassMetric(objective.metric);
  const comparison = compareEvidence(
    isByClass ? ACCURACY : objective,
    { name: 'the baseline', evidence: baseline.evidence },
    { name, evidence: best.evidence },
  );
  if (comparison.pValue === null) {
    const sentence = `It is unknown whether ${name} is better than the baseline: ${comparison.reason}.`;
    return { distinguishable: null, pValue: null, sentence };
  }
  const choices = Math.max(1, runCount - 1);
  const corrected = (p: number): number => Math.min(1, p * choices);
  const [better, worse] = [corrected(comparison.pValue), corrected(1 - comparison.pValue)];
  // Only where the run was chosen by something else: what chose it is better by definition.
  const isWorse = (isByClass || rung !== null) && worse < ALPHA;
  const pValue = isWorse ? worse : better;
  const distinguishable = pValue < ALPHA;
  const claim = isWorse ? 'worse than' : distinguishable ? 'better than' : 'not distinguishable from';
  const by = isByClass ? ` in accuracy (${objective.metric} has no value for a single image)` : '';
  const sentence =
    `Run ${best.runIndex} is ${claim} the baseline${by} on the validation images: ${comparison.shown}; ` +
    `p = ${significant(pValue, 2)}, corrected for the choice among ${runCount} runs${rung === null ? otherEpochs([best, baseline]) : commonRung(rung)}.`;
  return { distinguishable, pValue, sentence };
}

function commonRung(rung: Level): string {
  return `; both at ${describeLevel(rung)}, because the baseline was not trained further`;
}

/** Returns the epochs that were compared, where they are not the best ones of the runs. */
function otherEpochs(runs: readonly MeasuredRun[]): string {
  const named = runs.flatMap(({ runIndex, measuredAt }) =>
    measuredAt === undefined ? [] : [`run ${runIndex} at ${describeLevel(measuredAt)}`],
  );
  if (named.length === 0) return '';
  const which = named.length === 1 ? 'which is not its best epoch' : 'which are not their best epochs';
  return `; ${named.join(', and ')}, ${which}`;
}
