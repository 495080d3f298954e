import type { LeaseTiming } from '../../core/lease.ts';
import type { StoreReport } from '../../core/store-owner.ts';
import type { CheckpointRef, LeasedTask, Stage } from '../../core/task.ts';
import type { TaskEnd } from '../../platform/rpc/convert/task-result.ts';

export type { TaskEnd } from '../../platform/rpc/convert/task-result.ts';

/** Right to a task; every write carries it. */
export interface TaskLease {
  readonly taskId: string;
  readonly leaseEpoch: number;
}

export interface SlotDescription {
  readonly slotIndex: number;
  readonly deviceKind: 'cpu' | 'gpu';
  readonly deviceName: string;
  readonly memoryBytes: number;
  readonly threadCount: number;
}

export interface TrainerDescription {
  readonly trainerId: string;
  readonly hostname: string;
  readonly version: string;
  readonly engineVersion: string;
  readonly slots: readonly SlotDescription[];
}

export interface WantedTask {
  /** The same until a task came, so that a lost answer gives the same task again. */
  readonly requestId: string;
  readonly slotIndex: number;
  readonly heldFeatureKeys: readonly string[];
  /** How long the coordinator may wait for a task, milliseconds. */
  readonly waitMs: number;
}

export interface TaskProgress extends TaskLease {
  readonly stepCount: number;
  /** 0: unknown. */
  readonly stepLimit: number;
  readonly detail: string;
}

export type TaskCommand = 'ABANDON' | 'PAUSE' | 'STOP' | 'KILL' | 'CHECKPOINT_NOW';

export interface TaskDirective extends TaskLease {
  /** null: go on. */
  readonly command: TaskCommand | null;
  readonly stoppedRunIds: readonly string[];
}

export interface EpochReport {
  readonly runId: string;
  readonly stage: Stage;
  /** From 1. */
  readonly epoch: number;
  readonly values: Readonly<Record<string, number>>;
}

export interface MetricBatch extends TaskLease {
  /** From 1, without gaps, per attempt. */
  readonly sequence: number;
  readonly epochs: readonly EpochReport[];
}

export interface MetricAnswer extends TaskLease {
  readonly sequence: number;
  /** null: the batch is durable. */
  readonly refusal: 'LEASE_LOST' | 'LEASE_NOT_HELD' | 'SEQUENCE_GAP' | 'METRIC_CONFLICT' | 'REPORT_REFUSED' | null;
  /** With REPORT_REFUSED: the mistakes; else empty. */
  readonly message?: string;
  /** With SEQUENCE_GAP. */
  readonly expectedSequence: number;
  readonly stoppedRunIds: readonly string[];
}

export type ReleaseReason = 'DRAINING' | 'PAUSED' | 'PREEMPTED';

/** A leased task that this version can't read; it is given back, for a trainer of a newer one. */
export class UnreadableTaskError extends Error {
  override readonly name = 'UnreadableTaskError';
  readonly lease: TaskLease;

  constructor(lease: TaskLease, cause: unknown) {
    super(`Task ${lease.taskId} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.lease = lease;
  }
}

/** What a coordinator answers to a trainer. */
export interface Registered extends LeaseTiming {
  /** Whose artifact store the trainer must use; empty: the coordinator is of a version that does not say. */
  readonly clusterId: string;
  /** Why the trainer gets no tasks; empty: it does. */
  readonly benchReason: string;
}

/**
 * The coordinator as a trainer sees it, in the domain's types. All calls are idempotent; failures are the typed errors
 * of `core/errors.ts`, or the transport's.
 */
export interface Coordinator {
  register(trainer: TrainerDescription, store: StoreReport): Promise<Registered>;
  /** @returns null where no task became ready in time. @throws UnreadableTaskError */
  leaseTask(wanted: WantedTask, signal: AbortSignal): Promise<LeasedTask | null>;
  heartbeat(tasks: readonly TaskProgress[], draining: boolean, deadlineMs: number): Promise<readonly TaskDirective[]>;
  registerCheckpoint(lease: TaskLease, checkpoint: CheckpointRef, signal: AbortSignal): Promise<CheckpointRef>;
  completeTask(lease: TaskLease, end: TaskEnd, signal: AbortSignal): Promise<void>;
  releaseTask(lease: TaskLease, reason: ReleaseReason, signal: AbortSignal): Promise<void>;
  reportMetrics(batches: AsyncIterable<MetricBatch>, signal: AbortSignal): AsyncIterable<MetricAnswer>;
  close(): void;
}
