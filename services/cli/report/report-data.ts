import { OBJECTIVE_METRICS } from '../../core/objective.ts';
import type { Dataset } from '../../core/dataset.ts';
import type { EpochMetricRecord } from '../../core/records/epoch-metric.ts';
import type { DecisionRecord, RungEntryRecord, SweepExplanation } from '../../core/records/explanation.ts';
import type { FrontEntryRecord } from '../../core/records/pareto-front.ts';
import type { SweepPlanRecord } from '../../core/records/plan.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { Stage, TestPrediction } from '../../core/task.ts';
import { canBeBest } from '../../core/ranking.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { TrainerRecord } from '../../core/records/trainer.ts';
import { isTerminalSweepState } from '../../core/states/sweep-state.ts';
import type { Leaderboard } from '../client/client-port.ts';

/** Best runs that charts draw in colour. */
export const HIGHLIGHTED = 3;

/** Returns the metrics whose curves are drawn, as far as they were recorded: the objective first, validation beside training. */
export function chartedMetrics(objective: string): readonly string[] {
  const others = ['val_loss', 'loss', 'val_accuracy', 'accuracy', ...OBJECTIVE_METRICS];
  return [...new Set([objective, objective.replace(/^val_/, ''), ...others])];
}

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

/** The search of a sweep: its rule and rungs, the runs at them, and what was decided. */
export interface SearchData {
  readonly explanation: SweepExplanation;
  readonly entries: readonly RungEntryRecord[];
  readonly decisions: readonly DecisionRecord[];
}

/** All data of a report; collected once, so that rendering is a pure function. */
export interface ReportData {
  readonly sweep: SweepRecord;
  readonly runs: readonly RunRecord[];
  /** Repetitions of finalists with other seeds, which are not among `runs`. */
  readonly repeats: readonly RunRecord[];
  readonly leaderboard: Leaderboard;
  /** Metrics that are drawn, as they were recorded: a shared head's for the run that trained it. */
  readonly metrics: readonly EpochMetricRecord[];
  /** Null before the data set is indexed. */
  readonly dataset: Dataset | null;
  /** Null if the coordinator no longer accepts the spec. */
  readonly plan: SweepPlanRecord | null;
  readonly tasks: readonly TaskHistory[];
  /** Null if every run trains to its end, or the coordinator is of a version without rungs. */
  readonly search: SearchData | null;
  /** Runs that no smaller one equals, the smallest first; empty if the coordinator is of a version without costs of models. */
  readonly front: readonly FrontEntryRecord[];
  /** Predictions on the test split by run, for winner and baseline. */
  readonly predictions: ReadonlyMap<string, readonly TestPrediction[]>;
  /** Misclassified images of the winner, most confident first. */
  readonly wrongImages: readonly WrongImage[];
  readonly wrongCount: number;
  /** Registered trainers that worked on the sweep. */
  readonly trainers: readonly TrainerRecord[];
  /** Checkpoint of the best run; null: it has none, or retention has removed it. */
  readonly bestCheckpointId: string | null;
  /** Software that made the report. */
  readonly versions: { readonly graft: string; readonly node: string };
  readonly createTime: Date;
}

/** Returns the ids of the trainers that worked on the tasks, in the order of their first leases. */
export function workersOf(tasks: readonly TaskHistory[]): Set<string> {
  const ids = tasks.flatMap(({ attempts }) => attempts.map(({ trainerId }) => trainerId));
  return new Set(ids.filter((id) => id !== ''));
}

/** Returns whether the sweep is in a final state. */
export function hasEnded({ state }: SweepRecord): boolean {
  return isTerminalSweepState(state);
}

/** Returns the entry of the winner, or of the best run by validation while the sweep has none; null before the first validation. */
export function bestEntry({ leaderboard }: Pick<ReportData, 'leaderboard'>): LeaderboardRecord | null {
  const { entries, winner } = leaderboard;
  const won = entries.find(({ run }) => run.runId === winner?.runId);
  return won ?? entries.find(({ run }) => canBeBest(run)) ?? null;
}

/** Returns whether a metric is a loss, from zero and better if lower, or a score. */
export function kindOf(metric: string): 'loss' | 'score' {
  return metric.endsWith('loss') ? 'loss' : 'score';
}

/** Returns a metric's name for people: `Validation macro F1` for `val_macro_f1`. */
export function titleOfMetric(name: string): string {
  const words = name
    .replace(/^val_/, '')
    .replaceAll('_', ' ')
    .replace(/\bf1\b/, 'F1')
    .replace(/\bauc\b/, 'AUC');
  return `${name.startsWith('val_') ? 'Validation' : 'Training'} ${words}`;
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
