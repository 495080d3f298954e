import type { Parameters } from '../sweep/sweep-spec.ts';
import type { Stage } from '../task.ts';

/** A task that a plan would create. */
export interface PlannedTaskRecord {
  readonly stage: Stage | null;
  readonly runIndexes: readonly number[];
  readonly description: string;
  readonly dependencies: readonly number[];
  /** Slot-seconds from lease to end. */
  readonly expectedSeconds: number;
  readonly expectedMemoryBytes: number;
  /** Size of the feature sets that it stores. */
  readonly featureBytes: number;
}

/** A run that a plan would create. */
export interface PlannedRunRecord {
  readonly runIndex: number;
  readonly parameters: Parameters;
  readonly variedNames: readonly string[];
  /** Number of the run that trains its head: its own, or that of a run with the same head phase. */
  readonly headRunIndex: number;
}

/** Forecast cost of a sweep; early stopping is not considered. */
export interface PlanCostRecord {
  /** Sum over all tasks. */
  readonly slotSeconds: number;
  /** Slot time if the runs shared nothing. */
  readonly slotSecondsAlone: number;
  readonly wallSeconds: number;
  readonly slotCount: number;
  readonly extractionCount: number;
  readonly featureBytes: number;
  readonly headCount: number;
  readonly headTaskCount: number;
  readonly fineTuneCount: number;
  readonly fineTuneTaskCount: number;
  /** Maximum over the tasks: memory that one slot needs. */
  readonly memoryBytes: number;
  readonly trainImageCount: number;
  readonly validationImageCount: number;
  readonly testImageCount: number;
  readonly imageCountsAssumed: boolean;
}

/** Plan of a sweep that is not submitted. */
export interface SweepPlanRecord {
  readonly runs: readonly PlannedRunRecord[];
  readonly tasks: readonly PlannedTaskRecord[];
  readonly duplicateCount: number;
  /** Runs that `max_runs` asks for and the search space does not have. */
  readonly missingRunCount: number;
  /** Sentences about effects of the spec that its author may not expect. */
  readonly notes: readonly string[];
  readonly basePassCountAlone: number;
  readonly basePassCountShared: number;
  readonly cost: PlanCostRecord;
}
