import type { Objective } from '../objective.ts';
import type { RunConfig } from '../run-config.ts';
import type { Stage, TestRole, WeightsInfo } from '../task.ts';
import type { Corrections } from './cost/corrections.ts';
import type { Device } from './cost/device-speed.ts';
import type { ImageCounts, TaskForecast } from './cost/task-cost.ts';
import type { KeyedFeatureSet } from './feature-set.ts';

export interface PlannedRun {
  readonly runId: string;
  readonly index: number;
  readonly config: RunConfig;
  /** Epochs of fine-tuning to plan; null: none yet, because the run waits for a promotion after its head; absent: all. */
  readonly segment?: Segment | null;
}

/** Epochs of one stage of a run that a task trains. */
export interface Segment {
  /** Completed epochs at its start. */
  readonly from: number;
  /** Epoch after which the run pauses; null: it trains to the end of the stage. */
  readonly to: number | null;
}

/** The slots that can work on a sweep. If they differ: the slowest kind, the least memory. */
export interface Cluster {
  /** Values below 1 count as 1. */
  readonly slotCount: number;
  readonly device: Device;
  /** Memory of one slot in bytes; 0 if unknown. */
  readonly memoryBytes: number;
  /** Corrections measured on the cluster. */
  readonly corrections: Corrections;
}

export interface PlanInput {
  readonly sweepId: string;
  readonly objective: Objective;
  readonly runs: readonly PlannedRun[];
  readonly dataset: { readonly digest: string; readonly imageCounts: ImageCounts; readonly classCount: number };
  /** Resolved weights of every backbone that a run names, from INDEX. */
  readonly weights: readonly WeightsInfo[];
  readonly cluster: Cluster;
  /** Run of another sweep that has trained the head already, by the run that fine-tunes it. Default: none. */
  readonly trainedHeads?: ReadonlyMap<string, string>;
}

/** One planned task; all other inputs of a trainer are read when the task is leased. */
export interface PlannedTask {
  readonly taskId: string;
  readonly stage: Stage;
  /**
   * Runs by run number; empty for FEATURES. HEAD contains only the runs that train a head, not those that share one.
   */
  readonly runIds: readonly string[];
  /** Feature sets to compute (FEATURES) or to read (other stages). */
  readonly featureSets: readonly KeyedFeatureSet[];
  /** Tasks of this plan that must have succeeded. */
  readonly dependsOn: readonly string[];
  readonly description: string;
  readonly forecast: TaskForecast;
}

export interface Plan {
  /** Tasks, each after its prerequisites. */
  readonly tasks: readonly PlannedTask[];
  /** Run that trains the head, by the run that shares it. */
  readonly sharedHeads: ReadonlyMap<string, string>;
}

export interface PlannedEvaluation extends Omit<PlannedTask, 'forecast'> {
  readonly stage: 'EVALUATE';
  readonly roles: Readonly<Record<string, TestRole>>;
}

/** A run that can't be planned with the given weights, although others can. */
export interface InfeasibleRun {
  readonly runId: string;
  readonly reason: string;
}
