import type { Dataset } from '../../core/dataset.ts';
import type { RunState } from '../../core/states/run-state.ts';
import type { SweepState } from '../../core/states/sweep-state.ts';
import type { Parameters, SweepSpec } from '../../core/sweep/sweep-spec.ts';
import type { CheckpointKind, Stage, TestPrediction, TestRole } from '../../core/task.ts';
import type { TokenRole } from '../../core/token-role.ts';

/** What the command line knows of the public service, without proto types: the shapes that `--output json` prints. */
export interface Sweep {
  readonly sweepId: string;
  readonly spec: SweepSpec;
  readonly state: SweepState;
  readonly stateReason: string;
  readonly datasetId: string | null;
  readonly runCount: number;
  readonly finishedRunCount: number;
  /** Finished runs by outcome, as are the next four. */
  readonly succeededRunCount: number;
  readonly failedRunCount: number;
  readonly infeasibleRunCount: number;
  readonly stoppedRunCount: number;
  readonly cancelledRunCount: number;
  readonly bestRunId: string | null;
  readonly bestValue: number | null;
  readonly createTime: Date | null;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}

export interface Run {
  readonly runId: string;
  readonly sweepId: string;
  readonly runIndex: number;
  readonly parameters: Parameters;
  readonly variedNames: readonly string[];
  readonly state: RunState;
  readonly stateReason: string;
  readonly stage: Stage | null;
  readonly epochCount: number;
  readonly epochLimit: number;
  readonly bestValue: number | null;
  readonly bestStage: Stage | null;
  readonly bestEpoch: number;
  readonly lastValue: number | null;
  readonly bestValAccuracy: number | null;
  readonly bestValLoss: number | null;
  readonly attemptCount: number;
  /** The run whose head it shares; null: its own, or none. */
  readonly headRunId: string | null;
  /** Most resident memory of the worker that trained it. */
  readonly peakMemoryBytes: number | null;
  readonly createTime: Date | null;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}

export interface RunAttempt {
  readonly taskId: string;
  readonly stage: Stage | null;
  readonly leaseEpoch: number;
  readonly trainerId: string;
  readonly slotIndex: number;
  readonly state: string;
  readonly errorClass: string;
  readonly errorCode: string;
  readonly message: string;
  /** Batches were worked off in so many parts, after attempts that ran out of memory. */
  readonly microBatchDivisor: number;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}

export interface EpochMetric {
  readonly runId: string;
  readonly stage: Stage | null;
  readonly epoch: number;
  readonly name: string;
  readonly value: number;
}

export interface Checkpoint {
  readonly checkpointId: string;
  readonly runId: string;
  readonly stage: Stage | null;
  readonly epoch: number;
  readonly kind: CheckpointKind | null;
  readonly uri: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly value: number | null;
  readonly createTime: Date | null;
  /** Kept whatever retention would do. */
  readonly pinned: boolean;
}

interface ClassResult {
  readonly className: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly support: number;
}

export interface TestResult {
  readonly runId: string;
  readonly checkpointId: string;
  readonly accuracy: number;
  /** 95 % Wilson interval. */
  readonly accuracyLow: number;
  readonly accuracyHigh: number;
  readonly loss: number;
  readonly rocAuc: number | null;
  readonly imageCount: number;
  readonly correctCount: number;
  /** Row by row: true class; column: called class. */
  readonly confusionMatrix: readonly number[];
  readonly classResults: readonly ClassResult[];
  readonly role: TestRole;
}

export interface LeaderboardEntry {
  readonly rank: number;
  readonly run: Run;
  readonly testResult: TestResult | null;
}

export interface Leaderboard {
  readonly entries: readonly LeaderboardEntry[];
  /** How many runs were looked at on the test split. */
  readonly testLookCount: number;
}

interface PlannedTask {
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

interface PlannedRun {
  readonly runIndex: number;
  readonly parameters: Parameters;
  readonly variedNames: readonly string[];
  /** The run that trains its head: itself, or one with the same head phase. */
  readonly headRunIndex: number;
}

/** What a sweep is expected to take; early stopping is not foreseen. */
interface PlanCost {
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

/** What one stage was expected to take, and what it took; seconds are slot-seconds. */
export interface StageForecast {
  readonly stage: Stage | null;
  readonly taskCount: number;
  readonly runCount: number;
  readonly forecastSeconds: number | null;
  readonly measuredSeconds: number;
  readonly lostSeconds: number;
  readonly forecastMemoryBytes: number | null;
  readonly measuredMemoryBytes: number | null;
  readonly ended: boolean;
}

export interface SweepForecast {
  readonly stages: readonly StageForecast[];
  /** From the first lease to the end; null until the sweep is planned. */
  readonly wallSeconds: number | null;
  /** If the runs were trained one by one. */
  readonly aloneSeconds: number | null;
}

export interface SweepPlan {
  readonly runs: readonly PlannedRun[];
  readonly tasks: readonly PlannedTask[];
  readonly duplicateCount: number;
  /** Runs that `max_runs` asks for and the search space does not have. */
  readonly missingRunCount: number;
  /** What a reader of the spec may not expect of its runs. */
  readonly notes: readonly string[];
  readonly basePassCountAlone: number;
  readonly basePassCountShared: number;
  readonly cost: PlanCost;
}

/** A sweep that was submitted, with what was made of its spec. */
export interface CreatedSweep {
  readonly sweep: Sweep;
  readonly duplicateCount: number;
  /** As in `SweepPlan`. */
  readonly missingRunCount: number;
  readonly notes: readonly string[];
}

interface Slot {
  readonly slotIndex: number;
  readonly deviceKind: string;
  readonly deviceName: string;
  readonly memoryBytes: number;
  readonly threadCount: number;
  readonly taskId: string | null;
  readonly stage: Stage | null;
  /** Why it gets no tasks; null: it does. */
  readonly benchReason: string | null;
}

export interface Trainer {
  readonly trainerId: string;
  readonly hostname: string;
  readonly version: string;
  readonly engineVersion: string;
  readonly state: string;
  readonly slots: readonly Slot[];
  readonly heartbeatTime: Date | null;
  /** Reports of it that were refused because they can't be true. */
  readonly refusalCount: number;
  /** Why the coordinator gives it no more work; null: it does. */
  readonly drainReason: string | null;
}

export type SweepEventBody =
  | { readonly kind: 'sweep_state'; readonly state: SweepState; readonly reason: string }
  | {
      readonly kind: 'run_state';
      readonly runId: string;
      readonly state: RunState;
      readonly stage: Stage | null;
      readonly reason: string;
    }
  | {
      readonly kind: 'epoch';
      readonly runId: string;
      readonly stage: Stage | null;
      readonly epoch: number;
      readonly metrics: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: 'task';
      readonly taskId: string;
      readonly stage: Stage | null;
      readonly state: string;
      readonly trainerId: string;
      readonly message: string;
    }
  | { readonly kind: 'test_result'; readonly result: TestResult };

export interface SweepEvent {
  /** Watch again from here. */
  readonly cursor: bigint;
  readonly eventTime: Date | null;
  readonly body: SweepEventBody;
}

export interface CheckpointChunk {
  /** In the first chunk only. */
  readonly checkpoint: Checkpoint | null;
  readonly offset: number;
  readonly data: Uint8Array;
}

/** How the MLflow mirror is doing. */
export interface MlflowStatus {
  /** null: nothing is mirrored. */
  readonly trackingUri: string | null;
  readonly pendingEntryCount: number;
  readonly pendingSubjectCount: number;
  readonly oldestPendingTime: Date | null;
  readonly deadLetterCount: number;
  readonly successTime: Date | null;
  readonly failureTime: Date | null;
  readonly failureCount: number;
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly nextTryTime: Date | null;
}

/** A change that MLflow refused for good. */
export interface MlflowDeadLetter {
  readonly entryId: number;
  readonly sweepId: string;
  readonly runId: string | null;
  readonly kind: string;
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly attemptCount: number;
  readonly deadTime: Date | null;
}

export interface CollectOptions {
  /** null: of all sweeps. */
  readonly sweepId: string | null;
  /** null: as the coordinator is set. */
  readonly keepBest: number | null;
  readonly dryRun: boolean;
}

export interface Collected {
  /** The largest first, at most 1,000. */
  readonly checkpoints: readonly { readonly checkpoint: Checkpoint; readonly reason: string }[];
  readonly count: number;
  readonly sizeBytes: number;
  readonly keepBest: number;
}

/** A token without its secret. */
export interface Token {
  readonly tokenId: string;
  readonly name: string;
  /** null: one that this version does not know. */
  readonly role: TokenRole | null;
  readonly createTime: Date | null;
  /** null: never. */
  readonly expireTime: Date | null;
  /** null: it was not revoked. */
  readonly revokeTime: Date | null;
  /** null: none so far. */
  readonly lastUseTime: Date | null;
  /** Trainers that it may speak for; empty: any that its role allows. */
  readonly trainerIds: readonly string[];
}

export interface TokenToMake {
  readonly name: string;
  readonly role: TokenRole;
  /** null: never. */
  readonly expireTime: Date | null;
  readonly trainerIds: readonly string[];
}

/** The public service as the commands use it; lists are read to their last page. */
export interface GraftClient {
  /** `host:port`. */
  readonly address: string;
  planSweep(spec: SweepSpec): Promise<SweepPlan>;
  /** What its stages were expected to take, and took. */
  getForecast(sweepId: string): Promise<SweepForecast>;
  createSweep(requestId: string, spec: SweepSpec): Promise<CreatedSweep>;
  getSweep(sweepId: string): Promise<Sweep>;
  /** Newest first. */
  listSweeps(limit?: number): Promise<readonly Sweep[]>;
  /** Events after `cursor`; ends when the sweep has ended and all is sent. */
  watchSweep(sweepId: string, cursor: bigint, signal: AbortSignal): AsyncIterable<SweepEvent>;
  pauseSweep(sweepId: string, reason: string): Promise<Sweep>;
  resumeSweep(sweepId: string): Promise<Sweep>;
  cancelSweep(sweepId: string, reason: string): Promise<Sweep>;
  listRuns(sweepId: string): Promise<readonly Run[]>;
  getRun(runId: string): Promise<{ readonly run: Run; readonly attempts: readonly RunAttempt[] }>;
  listEpochMetrics(of: { readonly sweepId?: string; readonly runId?: string }): Promise<readonly EpochMetric[]>;
  listCheckpoints(of: { readonly sweepId?: string; readonly runId?: string }): Promise<readonly Checkpoint[]>;
  /** Keeps a checkpoint whatever retention would do, or leaves it to retention again. */
  pinCheckpoint(checkpointId: string, pinned: boolean): Promise<Checkpoint>;
  /** Removes what nothing needs any more, or with `dryRun` says what that is. */
  collectCheckpoints(options: CollectOptions): Promise<Collected>;
  downloadCheckpoint(checkpointId: string, offset: number, signal: AbortSignal): AsyncIterable<CheckpointChunk>;
  getLeaderboard(sweepId: string): Promise<Leaderboard>;
  listTestPredictions(runId: string): Promise<readonly TestPrediction[]>;
  listTrainers(): Promise<readonly Trainer[]>;
  /** Frees the identity of a trainer that is LOST or drained by the coordinator. */
  forgetTrainer(trainerId: string): Promise<void>;
  /** As the sweep read it: its folder, the problems found there. */
  getDataset(datasetId: string, sweepId: string): Promise<Dataset>;
  getMlflowStatus(): Promise<MlflowStatus>;
  /** Oldest first; of all sweeps where `sweepId` is null. */
  listMlflowDeadLetters(sweepId: string | null): Promise<readonly MlflowDeadLetter[]>;
  /** How many changes are to be sent because of it; of all sweeps where `sweepId` is null. */
  retryMlflowDeadLetters(sweepId: string | null): Promise<number>;
  /** How many changes are to be sent because of it. */
  resendToMlflow(sweepId: string): Promise<number>;
  /** The secret is known to nobody else, and given only here. */
  createToken(token: TokenToMake): Promise<{ readonly token: Token; readonly secret: string }>;
  /** Newest first, the ended ones among them. */
  listTokens(): Promise<readonly Token[]>;
  revokeToken(tokenId: string): Promise<Token>;
  close(): void;
}

export type { Dataset, RunState, Stage, SweepState, TestPrediction };
