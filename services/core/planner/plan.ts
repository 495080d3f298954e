import type { Objective } from '../objective.ts';
import type { RunConfig } from '../run-config.ts';
import type { Stage, TestRole, WeightsInfo } from '../task.ts';
import type { KeyedFeatureSet } from './feature-set.ts';

export interface PlannedRun {
  readonly runId: string;
  readonly index: number;
  readonly config: RunConfig;
}

export interface PlanInput {
  readonly sweepId: string;
  readonly objective: Objective;
  readonly runs: readonly PlannedRun[];
  readonly dataset: { readonly digest: string };
  /** Of every backbone and weights that a run names, as INDEX resolved them. */
  readonly weights: readonly WeightsInfo[];
  /** Slots that can work on the sweep; below 1 counts as 1. */
  readonly slotCount: number;
}

/** One task as planned; everything else a trainer needs is looked up when the task is leased. */
export interface PlannedTask {
  readonly taskId: string;
  readonly stage: Stage;
  /** By run number; empty for FEATURES. */
  readonly runIds: readonly string[];
  /** To compute (FEATURES) or to read (the others). */
  readonly featureSets: readonly KeyedFeatureSet[];
  /** Tasks of this plan that must have succeeded. */
  readonly dependsOn: readonly string[];
  readonly description: string;
}

export interface Plan {
  /** Each after everything it depends on. */
  readonly tasks: readonly PlannedTask[];
}

export interface PlannedEvaluation extends PlannedTask {
  readonly stage: 'EVALUATE';
  readonly roles: Readonly<Record<string, TestRole>>;
}

/** A run can't be planned with the weights as they are; the others can. */
export interface InfeasibleRun {
  readonly runId: string;
  readonly reason: string;
}
