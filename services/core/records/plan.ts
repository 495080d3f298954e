import type { Parameters } from '../sweep/sweep-spec.ts';
import type { Stage } from '../task.ts';

/** A task that a plan would create. */
export interface PlannedTaskRecord {
  readonly stage: Stage | null;
  /** Numbers of the runs it serves. */
  readonly runIndexes: readonly number[];
  readonly description: string;
  /** Positions in the list of tasks. */
  readonly dependencies: readonly number[];
  /** Slot-seconds from lease to end. */
  readonly expectedSeconds: number;
  /** Peak memory in bytes. */
  readonly expectedMemoryBytes: number;
  /** Bytes of the feature sets that it stores. */
  readonly featureBytes: number;
}

/** A run that a plan would create. */
export interface PlannedRunRecord {
  readonly runIndex: number;
  readonly parameters: Parameters;
  readonly variedNames: readonly string[];
  /** Number of the run that trains its head: its own, or that of a run with the same head phase. */
  readonly headRunIndex: number;
  /** Run of another sweep whose result it would take; null: it would train. */
  readonly reusedRunId: string | null;
}

/** Expected cost of a sweep before anything runs, without early stopping. */
export interface PlanCost {
  /** Sum over all tasks, each from lease to end. */
  readonly slotSeconds: number;
  /** The same if each run did everything itself, with images through the frozen base in every epoch. */
  readonly slotSecondsAlone: number;
  /** Seconds from the first lease to the end of the sweep, on the available slots. */
  readonly wallSeconds: number;
  readonly slotCount: number;
  /** Passes of a base over the images of its splits. */
  readonly extractionCount: number;
  readonly featureBytes: number;
  /** Number of trained head phases, and of the tasks that train them. */
  readonly headCount: number;
  readonly headTaskCount: number;
  readonly fineTuneCount: number;
  readonly fineTuneTaskCount: number;
  /** Maximum memory of one slot in bytes. */
  readonly memoryBytes: number;
}

/** Quantiles of 10, 50 and 90 %. */
export interface QuantileRange {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** Expected number of runs at a rung. */
export interface RungForecastRecord {
  readonly rung: number;
  readonly stage: Stage | null;
  /** null: the end of the stage. */
  readonly epoch: number | null;
  readonly entries: QuantileRange;
}

/** Expected cost of a sweep whose runs are compared while they train, from simulated sweeps. */
export interface SearchForecastRecord {
  /** Rule and version. */
  readonly rule: string;
  /** The policy in words. */
  readonly policy: string;
  readonly simulationCount: number;
  readonly slotSeconds: QuantileRange;
  readonly wallSeconds: QuantileRange;
  readonly rungs: readonly RungForecastRecord[];
}

/** Expected cost of repeating the best runs with further seeds. */
export interface FinalistForecastRecord {
  /** Maximum number of runs that are repeated. */
  readonly runCount: number;
  /** Further seeds of each. */
  readonly seedCount: number;
  readonly slotSeconds: QuantileRange;
  readonly wallSeconds: QuantileRange;
}

/** Cost of a sweep with the numbers of images that it was computed for. */
export interface PlanCostRecord extends PlanCost {
  readonly trainImageCount: number;
  readonly validationImageCount: number;
  readonly testImageCount: number;
  /** true if nothing is known about the data set, so that the numbers of images are those of a small one. */
  readonly imageCountsAssumed: boolean;
  /** true if the numbers are the client's count, because the data set was never indexed. */
  readonly imageCountsFromClient: boolean;
  /** null: each run trains to its end, or what the rule stops can't be forecast. */
  readonly search: SearchForecastRecord | null;
  /** Included in `search`, and in no other field. Null: no run is repeated. */
  readonly finalists: FinalistForecastRecord | null;
}

/** Numbers of images and classes that a client counted by the names of the files. */
export interface CountedImages {
  readonly trainImageCount: number;
  readonly validationImageCount: number;
  readonly testImageCount: number;
  readonly classCount: number;
}

/** Plan of a sweep that is not submitted. */
export interface SweepPlanRecord {
  readonly runs: readonly PlannedRunRecord[];
  /** Tasks, each after its prerequisites. */
  readonly tasks: readonly PlannedTaskRecord[];
  readonly duplicateCount: number;
  /** Runs that `max_runs` asks for and the search space does not have. */
  readonly missingRunCount: number;
  /** Sentences about effects of the spec that its author may not expect. */
  readonly notes: readonly string[];
  /** Passes of one split through a frozen base if each run executed its own in every epoch. */
  readonly basePassCountAlone: number;
  /** The same with stored features and shared streams. */
  readonly basePassCountShared: number;
  readonly cost: PlanCostRecord;
}
