import type { Dataset } from '../../core/dataset.ts';
import type { EpochMetricRecord } from '../../core/records/epoch-metric.ts';
import type { SweepPlanRecord } from '../../core/records/plan.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { Stage, TestPrediction } from '../../core/task.ts';
import type { Leaderboard } from '../client/client-port.ts';

/** One lease of a task, taken from the sweep's events. */
export interface TaskAttempt {
  readonly trainerId: string;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
  /** Last known state: LEASED, SUCCEEDED, RELEASED, FAILED, EXPIRED or CANCELLED. */
  readonly state: string;
  readonly message: string;
}

export interface TaskHistory {
  readonly taskId: string;
  readonly stage: Stage | null;
  readonly attempts: readonly TaskAttempt[];
}

/** A misclassified test image. */
export interface WrongImage {
  /** Path within the data set. */
  readonly path: string;
  readonly label: number;
  readonly predictedLabel: number;
  /** Probability of the wrong, predicted class. */
  readonly confidence: number;
  /** `data:image/jpeg;base64,…`; null if the local disk has no readable file. */
  readonly thumbnail: string | null;
}

/** All data of a report; collected once, so that rendering is a pure function. */
export interface ReportData {
  readonly sweep: SweepRecord;
  readonly runs: readonly RunRecord[];
  readonly leaderboard: Leaderboard;
  readonly metrics: readonly EpochMetricRecord[];
  /** Null before the data set is indexed. */
  readonly dataset: Dataset | null;
  /** Null if the coordinator no longer accepts the spec. */
  readonly plan: SweepPlanRecord | null;
  readonly tasks: readonly TaskHistory[];
  /** Predictions on the test split by run, for winner and baseline. */
  readonly predictions: ReadonlyMap<string, readonly TestPrediction[]>;
  /** Misclassified images of the winner, most confident first. */
  readonly wrongImages: readonly WrongImage[];
  readonly wrongCount: number;
  readonly createTime: Date;
}

/** Returns the probability of the predicted class; two-class runs may give that of class 1 only. */
export function confidenceOf({ predictedLabel, probabilities }: TestPrediction): number {
  if (probabilities.length === 1) {
    const second = probabilities[0] ?? Number.NaN;
    return predictedLabel === 1 ? second : 1 - second;
  }
  return probabilities[predictedLabel] ?? Number.NaN;
}

/** Returns the wrong predictions, most confident first. */
export function mostWrong(predictions: readonly TestPrediction[]): readonly TestPrediction[] {
  return predictions
    .filter(({ label, predictedLabel }) => label !== predictedLabel)
    .sort((a, b) => confidenceOf(b) - confidenceOf(a) || (a.path < b.path ? -1 : 1));
}
