import type { Dataset, DatasetProblem, Split } from './dataset.ts';
import type { ClassMetric, Objective } from './objective.ts';
import type { FeatureDtype } from './run-config.ts';
import type { DatasetSource, Parameters } from './sweep/sweep-spec.ts';

/** Parts of a run, in order; each task belongs to one. */
export const STAGES = ['INDEX', 'PROBE', 'FEATURES', 'HEAD', 'FINE_TUNE', 'EVALUATE'] as const;
export type Stage = (typeof STAGES)[number];

/** Stages that train runs, and have epochs and checkpoints. */
export const TRAINED_STAGES = ['HEAD', 'FINE_TUNE'] as const satisfies readonly Stage[];

export const CHECKPOINT_KINDS = ['BEST', 'LAST'] as const;
export type CheckpointKind = (typeof CHECKPOINT_KINDS)[number];

/** Saved trained tensors of a run. */
export interface CheckpointRef {
  /** Empty until the coordinator has registered it. */
  readonly checkpointId: string;
  readonly runId: string;
  readonly stage: Stage;
  /** Completed epochs when it was saved. */
  readonly epoch: number;
  readonly kind: CheckpointKind;
  /** URI in the artifact store. */
  readonly uri: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Objective's value at that epoch. */
  readonly value: number | null;
}

export const POOLINGS = ['avg', 'max', 'none'] as const;
export type Pooling = (typeof POOLINGS)[number];

/** Everything that names a feature set; its digest is the key (`planner/feature-set.ts`). */
export interface FeatureSetIdentity {
  readonly datasetDigest: string;
  readonly split: Split;
  readonly backbone: string;
  readonly weightsDigest: string;
  /** Layer the prefix ends with; null: the whole base. */
  readonly cut: string | null;
  readonly imageSize: number;
  readonly pooling: Pooling;
  readonly dtype: FeatureDtype;
}

export interface FeatureSetRef extends FeatureSetIdentity {
  readonly key: string;
  /** URI in the artifact store; null until computed. */
  readonly uri: string | null;
  /** Shape of one image's features. */
  readonly shape: readonly number[];
  readonly rowCount: number;
  readonly sha256: string | null;
  readonly sizeBytes: number;
}

/** Subject of PROBE: the pooled outputs of a base, on a part of the images. */
export interface ProbeTarget {
  readonly backbone: string;
  /** Layer the prefix ends with; null: the whole base. */
  readonly cut: string | null;
  readonly imageSize: number;
  readonly pooling: Exclude<Pooling, 'none'>;
}

/** A measurement of PROBE, as a trainer receives it. */
export interface ProbeOrder extends ProbeTarget {
  readonly weightsDigest: string;
  /** Images that are drawn from the training split; all measurements of a sweep have the same ones. */
  readonly trainImageCount: number;
  readonly validationImageCount: number;
}

/** Result of PROBE. */
export interface ProbeMeasurement {
  /** A bit for each image: whether a model that was fitted without it predicts its class; the least significant bit first. */
  readonly correct: Uint8Array;
  readonly imageCount: number;
  /** Printed; it decides nothing. */
  readonly logMe: number;
  readonly penalty: number;
  /** Median duration of the forward pass of one image. */
  readonly latencySeconds: number;
  readonly featureCount: number;
  readonly seconds: number;
}

export interface WeightsReference {
  readonly backbone: string;
  readonly weights: string;
}

export interface WeightsInfo extends WeightsReference {
  readonly digest: string;
}

/** Weights that a trainer could not get or use. */
export interface MissingWeights extends WeightsReference {
  /** The reason, and what to put where. */
  readonly reason: string;
  /** True if another machine may have them: the file is absent here, or its server can't be reached from here. */
  readonly elsewhere: boolean;
  /** True if the same download may succeed later. */
  readonly temporary: boolean;
}

/** A run's part in a task, as a trainer receives it. */
export interface TaskRun {
  readonly runId: string;
  readonly parameters: Parameters;
  readonly resumeCheckpoint: CheckpointRef | null;
  readonly sourceCheckpoint: CheckpointRef | null;
  readonly sourceValue: number | null;
  readonly role: TestRole | null;
  readonly stopped: boolean;
  /** Epochs of the stage after which its results by image are reported, rising. */
  readonly milestoneEpochs: readonly number[];
  /** Epoch of the stage after which it is saved and left paused; null: it trains to the end of the stage. */
  readonly pauseEpoch: number | null;
}

/**
 * Results of one run for each image of the validation split, in the order of the data set's manifest: the evidence by which a
 * rule compares runs.
 */
export interface RungReport {
  readonly runId: string;
  readonly stage: Stage;
  /** Epoch after which the model was measured, from 1: the milestone, or the best epoch at the end of the stage. */
  readonly epoch: number;
  /** True: it is the report of the end of the stage. */
  readonly isEnd: boolean;
  /** Completed epochs of the stage. */
  readonly epochCount: number;
  /** A bit for each image: whether its class was predicted; the least significant bit first, padded with 0. */
  readonly correct: Uint8Array;
  /** Loss of each image with the penalty of the weights, so that their mean is `val_loss`; null for a data set of more than `MAX_REPORTED_LOSSES` validation images. */
  readonly losses: Float32Array | null;
}

/** Maximum number of validation images of a rung report, which must fit into one message; of more, none is sent. */
export const MAX_REPORTED_IMAGES = 2 ** 20;
/** Maximum number of validation images whose losses are reported; for more, the reports of a group would be too large. */
export const MAX_REPORTED_LOSSES = 20_000;

/** Reasons to evaluate a run on the test split. */
export const TEST_ROLES = ['WINNER', 'BASELINE', 'EVERY_RUN'] as const;
export type TestRole = (typeof TEST_ROLES)[number];

/** A leased task, as a trainer receives it. */
export interface LeasedTask {
  readonly taskId: string;
  readonly sweepId: string;
  readonly stage: Stage;
  readonly leaseEpoch: number;
  readonly runs: readonly TaskRun[];
  readonly datasetSource: DatasetSource;
  readonly dataset: Dataset | null;
  readonly manifestUri: string | null;
  readonly featureSets: readonly FeatureSetRef[];
  readonly weightsReferences: readonly WeightsReference[];
  readonly objective: Objective;
  /** Class metrics to record each epoch; none are named by a coordinator that does not know them. */
  readonly classMetrics: readonly ClassMetric[];
  /** Number of micro-batches that each batch is processed in, with accumulated gradients (`retry.ts`); 1: as a whole. */
  readonly microBatchDivisor: number;
  /** W3C trace context of the call that submitted the sweep; null: it was not traced. */
  readonly traceparent: string | null;
  /** Measurement to make; PROBE only. */
  readonly probe?: ProbeOrder;
}

/** Classes of errors, which decide about retries (`retry.ts`). */
export const ERROR_CLASSES = ['INFRASTRUCTURE', 'MEMORY', 'PERMANENT', 'NUMERIC', 'COUNTED'] as const;
export type ErrorClass = (typeof ERROR_CLASSES)[number];

export interface TaskError {
  readonly errorClass: ErrorClass;
  readonly code: string;
  readonly message: string;
  readonly datasetProblems: readonly DatasetProblem[];
  /** Stored feature sets of the task whose files are missing or damaged; they are computed before the task is retried. */
  readonly missingFeatureKeys?: readonly string[];
  /** The manifest of the data set is missing or damaged; the data set is indexed before the task is retried. */
  readonly manifestDamaged?: boolean;
  /** Checkpoints the task starts from whose files are missing or damaged. */
  readonly damagedCheckpointIds?: readonly string[];
}

/** Ways in which a run leaves a training task. */
export const RUN_OUTCOMES = ['SUCCEEDED', 'EARLY_STOPPED', 'FAILED', 'STOPPED', 'PAUSED'] as const;
export type RunOutcomeKind = (typeof RUN_OUTCOMES)[number];

/** The reason for which early stopping ended a stage of a run. */
export interface EarlyStop {
  /** Epochs without improvement after which it ends a stage. */
  readonly patience: number;
  /** Change of the objective that counts as an improvement. */
  readonly minDelta: number;
  /** Epoch of the last improvement, from 1. */
  readonly bestEpoch: number;
  /** Value of the objective in that epoch. */
  readonly bestValue: number;
}

export interface RunOutcome {
  readonly runId: string;
  readonly kind: RunOutcomeKind;
  readonly error: TaskError | null;
  readonly epochCount: number;
  readonly peakMemoryBytes: number;
  /** The reason of EARLY_STOPPED; absent otherwise, and from trainers of earlier versions. */
  readonly earlyStop?: EarlyStop;
}

export interface TestPrediction {
  readonly path: string;
  readonly label: number;
  readonly predictedLabel: number;
  readonly probabilities: readonly number[];
}

/** A trainer's measurement on the test split. The coordinator computes intervals and per-class figures from the predictions. */
export interface TestMeasurement {
  readonly runId: string;
  readonly checkpointId: string;
  readonly role: TestRole;
  /** Mean loss. */
  readonly loss: number;
  readonly predictions: readonly TestPrediction[];
}

export type TaskResult =
  | {
      readonly stage: 'INDEX';
      readonly dataset: Dataset;
      readonly manifestUri: string;
      readonly weights: readonly WeightsInfo[];
      /** Their runs fail, and the others are trained. */
      readonly missingWeights: readonly MissingWeights[];
    }
  | { readonly stage: 'FEATURES'; readonly featureSets: readonly FeatureSetRef[]; readonly seconds: number }
  | ({ readonly stage: 'PROBE' } & ProbeMeasurement)
  | { readonly stage: 'TRAIN'; readonly outcomes: readonly RunOutcome[] }
  | { readonly stage: 'EVALUATE'; readonly measurements: readonly TestMeasurement[] };
