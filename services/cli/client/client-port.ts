import type { Dataset } from '../../core/dataset.ts';
import type { AnnotationChange } from '../../core/annotations.ts';
import type { HandleKind } from '../../core/handle.ts';
import type { AttemptRecord } from '../../core/records/attempt.ts';
import type { CheckpointRecord } from '../../core/records/checkpoint.ts';
import type { EpochMetricRecord } from '../../core/records/epoch-metric.ts';
import type { SweepDeletion } from '../../core/records/deletion.ts';
import type { StoredEvent } from '../../core/records/event.ts';
import type {
  DecisionRecord,
  RungEntryRecord,
  RunExplanation,
  SweepExplanation,
} from '../../core/records/explanation.ts';
import type { ResolvedHandle } from '../../core/records/handle.ts';
import type { SweepForecastRecord } from '../../core/records/forecast.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { DeadLetterRecord, MlflowStatusRecord } from '../../core/records/mlflow.ts';
import type { FrontEntryRecord } from '../../core/records/pareto-front.ts';
import type { CountedImages, SweepPlanRecord } from '../../core/records/plan.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { TokenRecord } from '../../core/records/token.ts';
import type { TrainerRecord } from '../../core/records/trainer.ts';
import type { WinnerRecord } from '../../core/records/winner.ts';
import type { WinnerStatement } from '../../core/records/winner-statement.ts';
import type { TestPrediction } from '../../core/task.ts';
import type { SweepExtension } from '../../core/sweep/extend-spec.ts';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import type { TokenRole } from '../../core/token-role.ts';

/** Ranking of a sweep by validation. */
export interface Leaderboard {
  readonly entries: readonly LeaderboardRecord[];
  /** Number of runs evaluated on the test split. */
  readonly testLookCount: number;
  /** Comparison of the best run with the baseline; null: there is none. */
  readonly winnerStatement: WinnerStatement | null;
  /** Choice of the winner; null: the sweep has not ended, or ended under an earlier version. */
  readonly winner: WinnerRecord | null;
}

/** A submitted sweep with the outcome of sampling its spec. */
export interface CreatedSweep {
  readonly sweep: SweepRecord;
  readonly duplicateCount: number;
  /** Runs that `max_runs` asks for and the search space does not have. */
  readonly missingRunCount: number;
  readonly notes: readonly string[];
}

/** Limits of a list of sweeps. */
export interface SweepFilter {
  /** Number of sweeps, at most 1,000; undefined: all. */
  readonly limit?: number | undefined;
  /** Tag that they have. */
  readonly tag?: string | undefined;
}

/** A change of a sweep's name, notes, tags and scheduling; null leaves a field as it is. */
export interface SweepChange extends AnnotationChange {
  readonly displayName: string | null;
  readonly priority: number | null;
  /** 0: all. */
  readonly maxParallelSlots: number | null;
}

/** A chunk of a downloaded checkpoint. */
export interface CheckpointChunk {
  /** Null except in the first chunk. */
  readonly checkpoint: CheckpointRecord | null;
  readonly offset: number;
  readonly data: Uint8Array;
}

/** Options of a collection of unneeded checkpoints. */
export interface CollectOptions {
  /** Null: all sweeps. */
  readonly sweepId: string | null;
  /** Checkpoints kept per ended sweep; null: the coordinator's setting. */
  readonly keepBest: number | null;
  readonly dryRun: boolean;
}

/** Checkpoints that were removed, or would be. */
export interface Collected {
  /** Largest first, at most 1,000. */
  readonly checkpoints: readonly { readonly checkpoint: CheckpointRecord; readonly reason: string }[];
  readonly count: number;
  readonly sizeBytes: number;
  readonly keepBest: number;
}

/** A token to create. */
export interface TokenToMake {
  readonly name: string;
  readonly role: TokenRole;
  /** Null: it never expires. */
  readonly expireTime: Date | null;
  readonly trainerIds: readonly string[];
}

/** The public service as commands use it; lists are read to their last page. */
export interface GraftClient {
  /** Address as given, for messages: `host:port`. */
  readonly address: string;
  /** @param counted the images, for a data set that was never indexed; null: they were not counted. */
  planSweep(spec: SweepSpec, counted: CountedImages | null): Promise<SweepPlanRecord>;
  /** Returns forecast and measurement of the sweep's stages. */
  getForecast(sweepId: string): Promise<SweepForecastRecord>;
  createSweep(requestId: string, spec: SweepSpec): Promise<CreatedSweep>;
  getSweep(sweepId: string): Promise<SweepRecord>;
  /** Lists sweeps, latest first. */
  listSweeps(filter?: SweepFilter): Promise<readonly SweepRecord[]>;
  /** Changes the name, notes and tags of a sweep. */
  updateSweep(sweepId: string, change: SweepChange): Promise<SweepRecord>;
  /** Streams events after `cursor`; ends when the sweep has ended and all events are sent. */
  watchSweep(sweepId: string, cursor: bigint, signal: AbortSignal): AsyncIterable<StoredEvent>;
  pauseSweep(sweepId: string, reason: string): Promise<SweepRecord>;
  resumeSweep(sweepId: string): Promise<SweepRecord>;
  cancelSweep(sweepId: string, reason: string): Promise<SweepRecord>;
  /** Cancels a sweep without letting running attempts save. */
  killSweep(sweepId: string, reason: string): Promise<SweepRecord>;
  /** Adds runs or budget to a sweep. */
  extendSweep(sweepId: string, extension: SweepExtension, reason: string): Promise<SweepRecord>;
  /** Deletes an ended sweep with its files; with `dryRun` lists them only. */
  deleteSweep(sweepId: string, dryRun: boolean): Promise<SweepDeletion>;
  /** Ends a run early and keeps its result. */
  stopRun(runId: string, reason: string): Promise<RunRecord>;
  /** Trains a failed run again. */
  retryRun(runId: string, reason: string): Promise<RunRecord>;
  listRuns(sweepId: string): Promise<readonly RunRecord[]>;
  /** Changes the notes and tags of a run. */
  updateRun(runId: string, change: AnnotationChange): Promise<RunRecord>;
  getRun(runId: string): Promise<{ readonly run: RunRecord; readonly attempts: readonly AttemptRecord[] }>;
  listEpochMetrics(of: { readonly sweepId?: string; readonly runId?: string }): Promise<readonly EpochMetricRecord[]>;
  listCheckpoints(of: { readonly sweepId?: string; readonly runId?: string }): Promise<readonly CheckpointRecord[]>;
  /** Exempts a checkpoint from retention, or subjects it to retention again. */
  pinCheckpoint(checkpointId: string, pinned: boolean): Promise<CheckpointRecord>;
  /** Removes unneeded checkpoints; with `dryRun` lists them only. */
  collectCheckpoints(options: CollectOptions): Promise<Collected>;
  downloadCheckpoint(checkpointId: string, offset: number, signal: AbortSignal): AsyncIterable<CheckpointChunk>;
  getLeaderboard(sweepId: string): Promise<Leaderboard>;
  /** Returns the runs that no smaller one equals, the smallest first; null if the coordinator is of a version without costs of models. */
  getParetoFront(sweepId: string): Promise<readonly FrontEntryRecord[] | null>;
  /** Compares the best run with the baseline on the validation images; null: no such comparison is stored. */
  stateWinner(sweepId: string): Promise<Pick<Leaderboard, 'winnerStatement' | 'winner'>>;
  /** Lists the decisions of a sweep or about a run, oldest first. */
  listDecisions(of: { readonly sweepId?: string; readonly runId?: string }): Promise<readonly DecisionRecord[]>;
  /** Lists the entries of all rungs of a sweep, by rung and arrival. */
  listRungEntries(sweepId: string): Promise<readonly RungEntryRecord[]>;
  /** Returns null if the coordinator is of a version without rungs. */
  explainRun(runId: string): Promise<RunExplanation | null>;
  /** Returns null if the coordinator is of a version without rungs. @param replay recompute all decisions */
  explainSweep(sweepId: string, replay: boolean): Promise<SweepExplanation | null>;
  listTestPredictions(runId: string): Promise<readonly TestPrediction[]>;
  /** Finds what a handle names. */
  resolveHandle(kind: HandleKind, handle: string): Promise<ResolvedHandle>;
  listTrainers(): Promise<readonly TrainerRecord[]>;
  /** Releases the identity of a trainer that is LOST or drained by the coordinator. */
  forgetTrainer(trainerId: string): Promise<void>;
  /** Returns a data set as the sweep indexed it: with its folder and the problems found there. */
  getDataset(datasetId: string, sweepId: string): Promise<Dataset>;
  getMlflowStatus(): Promise<MlflowStatusRecord>;
  /** Lists dead letters, oldest first; null: those of all sweeps. */
  listMlflowDeadLetters(sweepId: string | null): Promise<readonly DeadLetterRecord[]>;
  /** Enqueues refused changes again and returns their number; null: those of all sweeps. */
  retryMlflowDeadLetters(sweepId: string | null): Promise<number>;
  /** Enqueues all changes of a sweep and returns their number. */
  resendToMlflow(sweepId: string): Promise<number>;
  /** Creates a token. The coordinator stores only a hash of the secret, so this is the only time it is returned. */
  createToken(token: TokenToMake): Promise<{ readonly token: TokenRecord; readonly secret: string }>;
  /** Lists tokens, latest first, expired and revoked ones included. */
  listTokens(): Promise<readonly TokenRecord[]>;
  revokeToken(tokenId: string): Promise<TokenRecord>;
  close(): void;
}
