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
}

/** The slots that can work on a sweep. Where they differ: the slowest kind, the least memory. */
export interface Cluster {
  /** Below 1 counts as 1. */
  readonly slotCount: number;
  readonly device: Device;
  /** Of one slot; 0: not known. */
  readonly memoryBytes: number;
  /** What was measured there before. */
  readonly corrections: Corrections;
}

export interface PlanInput {
  readonly sweepId: string;
  readonly objective: Objective;
  readonly runs: readonly PlannedRun[];
  readonly dataset: { readonly digest: string; readonly imageCounts: ImageCounts; readonly classCount: number };
  /** Of every backbone and weights that a run names, as INDEX resolved them. */
  readonly weights: readonly WeightsInfo[];
  readonly cluster: Cluster;
}

/** One task as planned; everything else a trainer needs is looked up when the task is leased. */
export interface PlannedTask {
  readonly taskId: string;
  readonly stage: Stage;
  /** By run number; empty for FEATURES. HEAD: only the runs that train a head, not those that share one. */
  readonly runIds: readonly string[];
  /** To compute (FEATURES) or to read (the others). */
  readonly featureSets: readonly KeyedFeatureSet[];
  /** Tasks of this plan that must have succeeded. */
  readonly dependsOn: readonly string[];
  readonly description: string;
  readonly forecast: TaskForecast;
}

export interface Plan {
  /** Each after everything it depends on. */
  readonly tasks: readonly PlannedTask[];
  /** Runs that start from the head of another run: that run. */
  readonly sharedHeads: ReadonlyMap<string, string>;
}

export interface PlannedEvaluation extends Omit<PlannedTask, 'forecast'> {
  readonly stage: 'EVALUATE';
  readonly roles: Readonly<Record<string, TestRole>>;
}

/** A run can't be planned with the weights as they are; the others can. */
export interface InfeasibleRun {
  readonly runId: string;
  readonly reason: string;
}
