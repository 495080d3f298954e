import type { Objective } from '../objective.ts';
import { isBetter, isClassMetric } from '../objective.ts';
import type { Evidence } from '../statistics/evidence.ts';
import { compareEvidence } from './paired-evidence.ts';

/** Probability with which an equal run is called worse than the best one. */
export const FINALIST_ALPHA = 0.1;

/** A run that was trained to its end, as a candidate for repetition. */
export interface FinalRun {
  readonly index: number;
  /** Best value of the objective. */
  readonly value: number;
  /** Results by image at that value; null: none are stored. */
  readonly evidence: Evidence | null;
  /** Bytes of the model; null: unknown. */
  readonly modelBytes: number | null;
  /** True: a head on a frozen base, which is not fine-tuned. */
  readonly isHeadOnly: boolean;
  /** Forecast slot-seconds of one more training. */
  readonly seconds: number;
}

export interface Finalist {
  readonly run: FinalRun;
  /** Reason of its choice, for people. */
  readonly reason: string;
}

/** Metrics by class have no value for a single image, so that their runs are compared by accuracy. */
const ACCURACY: Objective = { metric: 'val_accuracy', goal: 'maximize' };

/**
 * Returns the runs whose order chance may have decided: the best one and those that a paired test on the validation images does not
 * find worse (one-sided, α = 0.10), at most `limit`, the best value first, of equal values the smallest model. The best run that is only
 * a head is among them if it is not worse: it costs a fraction of a fine-tuned one.
 *
 * @param finals runs trained to their end, by rank, the best first.
 */
export function chooseFinalists(objective: Objective, limit: number, finals: readonly FinalRun[]): readonly Finalist[] {
  const [best] = finals;
  if (best === undefined) return [];
  const rivals = finals.slice(1).flatMap((run): Finalist[] => {
    const reason = whyWithin(objective, best, run);
    return reason === null ? [] : [{ run, reason }];
  });
  const within = [
    { run: best, reason: 'the best run' },
    ...rivals.sort((a, b) => compareFinals(objective, a.run, b.run)),
  ];
  const chosen = within.slice(0, limit);
  const head = within.find(({ run }) => run.isHeadOnly);
  if (head === undefined || chosen.includes(head) || limit < 2) return chosen;
  return [...chosen.slice(0, -1), { ...head, reason: `${head.reason}; the best run that is only a head` }];
}

/** Returns why a run is not distinguishable from the best one; null: it is worse. */
function whyWithin(objective: Objective, best: FinalRun, run: FinalRun): string | null {
  const comparison = compareEvidence(
    isClassMetric(objective.metric) ? ACCURACY : objective,
    { name: `run ${run.index}`, evidence: run.evidence },
    { name: `run ${best.index}`, evidence: best.evidence },
  );
  if (comparison.pValue === null) return `not compared with run ${best.index}: ${comparison.reason}`;
  if (comparison.pValue < FINALIST_ALPHA) return null;
  return `not distinguishable from run ${best.index}: ${comparison.shown}, p = ${comparison.pValue.toFixed(2)}`;
}

function compareFinals(objective: Objective, a: FinalRun, b: FinalRun): number {
  if (a.value !== b.value) return isBetter(objective, a.value, b.value) ? -1 : 1;
  return (a.modelBytes ?? Infinity) - (b.modelBytes ?? Infinity) || a.index - b.index;
}
