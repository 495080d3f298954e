import type { Dataset } from '../../core/dataset.ts';
import type { EpochMetricRecord } from '../../core/records/epoch-metric.ts';
import type { SweepPlanRecord } from '../../core/records/plan.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { Stage, TestPrediction } from '../../core/task.ts';
import type { Leaderboard } from '../client/client-port.ts';

/** One lease of a task, from the sweep's events. */
export interface TaskAttempt {
  readonly trainerId: string;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
  /** The last that was heard: LEASED, SUCCEEDED, RELEASED, FAILED, EXPIRED or CANCELLED. */
  readonly state: string;
  readonly message: string;
}

export interface TaskHistory {
  readonly taskId: string;
  readonly stage: Stage | null;
  readonly attempts: readonly TaskAttempt[];
}

/** A test image that was called wrong. */
export interface WrongImage {
  /** Within the data set. */
  readonly path: string;
  readonly label: number;
  readonly predictedLabel: number;
  /** Probability that was given to the wrong class. */
  readonly confidence: number;
  /** `data:image/jpeg;base64,…`; null where the file can't be read on this machine. */
  readonly thumbnail: string | null;
}

/** Everything a report shows; collected once, so that rendering is a pure function. */
export interface ReportData {
  readonly sweep: SweepRecord;
  readonly runs: readonly RunRecord[];
  readonly leaderboard: Leaderboard;
  readonly metrics: readonly EpochMetricRecord[];
  /** null before the data set is indexed. */
  readonly dataset: Dataset | null;
  /** null where the coordinator can't plan the spec any more. */
  readonly plan: SweepPlanRecord | null;
  readonly tasks: readonly TaskHistory[];
  /** Predictions on the test split by run, for those that were tested as winner or baseline. */
  readonly predictions: ReadonlyMap<string, readonly TestPrediction[]>;
  /** Of the winner, most confident first. */
  readonly wrongImages: readonly WrongImage[];
  readonly wrongCount: number;
  readonly createTime: Date;
}

/** Probability of the class that was called; two-class runs may give that of class 1 alone. */
export function confidenceOf({ predictedLabel, probabilities }: TestPrediction): number {
  if (probabilities.length === 1) {
    const second = probabilities[0] ?? Number.NaN;
    return predictedLabel === 1 ? second : 1 - second;
  }
  return probabilities[predictedLabel] ?? Number.NaN;
}

/** Wrong predictions, most confident first. */
export function mostWrong(predictions: readonly TestPrediction[]): readonly TestPrediction[] {
  return predictions
    .filter(({ label, predictedLabel }) => label !== predictedLabel)
    .sort((a, b) => confidenceOf(b) - confidenceOf(a) || (a.path < b.path ? -1 : 1));
}
