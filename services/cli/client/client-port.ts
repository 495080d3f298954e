import type { Dataset } from '../../core/dataset.ts';
import type { AttemptRecord } from '../../core/records/attempt.ts';
import type { CheckpointRecord } from '../../core/records/checkpoint.ts';
import type { EpochMetricRecord } from '../../core/records/epoch-metric.ts';
import type { StoredEvent } from '../../core/records/event.ts';
import type { SweepForecastRecord } from '../../core/records/forecast.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { DeadLetterRecord, MlflowStatusRecord } from '../../core/records/mlflow.ts';
import type { SweepPlanRecord } from '../../core/records/plan.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { TokenRecord } from '../../core/records/token.ts';
import type { TrainerRecord } from '../../core/records/trainer.ts';
import type { TestPrediction } from '../../core/task.ts';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import type { TokenRole } from '../../core/token-role.ts';

export interface Leaderboard {
  readonly entries: readonly LeaderboardRecord[];
  /** How many runs were looked at on the test split. */
  readonly testLookCount: number;
}

/** A sweep that was submitted, with what was made of its spec. */
export interface CreatedSweep {
  readonly sweep: SweepRecord;
  readonly duplicateCount: number;
  /** As in `SweepPlan`. */
  readonly missingRunCount: number;
  readonly notes: readonly string[];
}

export interface CheckpointChunk {
  /** In the first chunk only. */
  readonly checkpoint: CheckpointRecord | null;
  readonly offset: number;
  readonly data: Uint8Array;
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
  readonly checkpoints: readonly { readonly checkpoint: CheckpointRecord; readonly reason: string }[];
  readonly count: number;
  readonly sizeBytes: number;
  readonly keepBest: number;
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
  planSweep(spec: SweepSpec): Promise<SweepPlanRecord>;
  /** What its stages were expected to take, and took. */
  getForecast(sweepId: string): Promise<SweepForecastRecord>;
  createSweep(requestId: string, spec: SweepSpec): Promise<CreatedSweep>;
  getSweep(sweepId: string): Promise<SweepRecord>;
  /** Newest first. */
  listSweeps(limit?: number): Promise<readonly SweepRecord[]>;
  /** Events after `cursor`; ends when the sweep has ended and all is sent. */
  watchSweep(sweepId: string, cursor: bigint, signal: AbortSignal): AsyncIterable<StoredEvent>;
  pauseSweep(sweepId: string, reason: string): Promise<SweepRecord>;
  resumeSweep(sweepId: string): Promise<SweepRecord>;
  cancelSweep(sweepId: string, reason: string): Promise<SweepRecord>;
  listRuns(sweepId: string): Promise<readonly RunRecord[]>;
  getRun(runId: string): Promise<{ readonly run: RunRecord; readonly attempts: readonly AttemptRecord[] }>;
  listEpochMetrics(of: { readonly sweepId?: string; readonly runId?: string }): Promise<readonly EpochMetricRecord[]>;
  listCheckpoints(of: { readonly sweepId?: string; readonly runId?: string }): Promise<readonly CheckpointRecord[]>;
  /** Keeps a checkpoint whatever retention would do, or leaves it to retention again. */
  pinCheckpoint(checkpointId: string, pinned: boolean): Promise<CheckpointRecord>;
  /** Removes what nothing needs any more, or with `dryRun` says what that is. */
  collectCheckpoints(options: CollectOptions): Promise<Collected>;
  downloadCheckpoint(checkpointId: string, offset: number, signal: AbortSignal): AsyncIterable<CheckpointChunk>;
  getLeaderboard(sweepId: string): Promise<Leaderboard>;
  listTestPredictions(runId: string): Promise<readonly TestPrediction[]>;
  listTrainers(): Promise<readonly TrainerRecord[]>;
  /** Frees the identity of a trainer that is LOST or drained by the coordinator. */
  forgetTrainer(trainerId: string): Promise<void>;
  /** As the sweep read it: its folder, the problems found there. */
  getDataset(datasetId: string, sweepId: string): Promise<Dataset>;
  getMlflowStatus(): Promise<MlflowStatusRecord>;
  /** Oldest first; of all sweeps where `sweepId` is null. */
  listMlflowDeadLetters(sweepId: string | null): Promise<readonly DeadLetterRecord[]>;
  /** How many changes are to be sent because of it; of all sweeps where `sweepId` is null. */
  retryMlflowDeadLetters(sweepId: string | null): Promise<number>;
  /** How many changes are to be sent because of it. */
  resendToMlflow(sweepId: string): Promise<number>;
  /** The secret is known to nobody else, and given only here. */
  createToken(token: TokenToMake): Promise<{ readonly token: TokenRecord; readonly secret: string }>;
  /** Newest first, the ended ones among them. */
  listTokens(): Promise<readonly TokenRecord[]>;
  revokeToken(tokenId: string): Promise<TokenRecord>;
  close(): void;
}
