import type { Parameters } from '../sweep/sweep-spec.ts';
import type { Stage } from '../task.ts';

export interface PlannedTaskRecord {
  readonly stage: Stage | null;
  readonly runIndexes: readonly number[];
  readonly description: string;
  readonly dependencies: readonly number[];
  /** From lease to end. */
  readonly expectedSeconds: number;
  readonly expectedMemoryBytes: number;
  /** Of the feature sets that it stores. */
  readonly featureBytes: number;
}

export interface PlannedRunRecord {
  readonly runIndex: number;
  readonly parameters: Parameters;
  readonly variedNames: readonly string[];
  /** The run that trains its head: itself, or one with the same head phase. */
  readonly headRunIndex: number;
}

/** What a sweep is expected to take; early stopping is not foreseen. */
export interface PlanCostRecord {
  /** Of all tasks together. */
  readonly slotSeconds: number;
  /** If each run did everything itself. */
  readonly slotSecondsAlone: number;
  readonly wallSeconds: number;
  readonly slotCount: number;
  readonly extractionCount: number;
  readonly featureBytes: number;
  readonly headCount: number;
  readonly headTaskCount: number;
  readonly fineTuneCount: number;
  readonly fineTuneTaskCount: number;
  /** Most that one slot needs. */
  readonly memoryBytes: number;
  readonly trainImageCount: number;
  readonly validationImageCount: number;
  readonly testImageCount: number;
  readonly imageCountsAssumed: boolean;
}

export interface SweepPlanRecord {
  readonly runs: readonly PlannedRunRecord[];
  readonly tasks: readonly PlannedTaskRecord[];
  readonly duplicateCount: number;
  /** Runs that `max_runs` asks for and the search space does not have. */
  readonly missingRunCount: number;
  /** What a reader of the spec may not expect of its runs. */
  readonly notes: readonly string[];
  readonly basePassCountAlone: number;
  readonly basePassCountShared: number;
  readonly cost: PlanCostRecord;
}
