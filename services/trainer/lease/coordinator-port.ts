import type { LeaseTiming } from '../../core/lease.ts';
import type { StoreReport } from '../../core/store-owner.ts';
import type { CheckpointRef, LeasedTask, RungReport, Stage } from '../../core/task.ts';
import type { TaskEnd } from '../../platform/rpc/convert/task-result.ts';

export type { TaskEnd } from '../../platform/rpc/convert/task-result.ts';

/** The right to a task; every write carries it. */
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
  /** Kept until a task arrives: a request whose answer was lost returns the same task. */
  readonly requestId: string;
  readonly slotIndex: number;
  readonly heldFeatureKeys: readonly string[];
  /** Milliseconds that the coordinator may wait for a task. */
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
  /** null: continue. */
  readonly command: TaskCommand | null;
  readonly stoppedRunIds: readonly string[];
}

export interface EpochReport {
  readonly runId: string;
  readonly stage: Stage;
  /** Number of the epoch, from 1. */
  readonly epoch: number;
  readonly values: Readonly<Record<string, number>>;
}

export interface MetricBatch extends TaskLease {
  /** Number of the batch in its attempt, from 1 without gaps. */
  readonly sequence: number;
  readonly epochs: readonly EpochReport[];
  /** Results by image, of epochs of this batch or an earlier one. */
  readonly rungs: readonly RungReport[];
}

export interface MetricAnswer extends TaskLease {
  readonly sequence: number;
  /** null: the batch is durable. */
  readonly refusal: 'LEASE_LOST' | 'LEASE_NOT_HELD' | 'SEQUENCE_GAP' | 'METRIC_CONFLICT' | 'REPORT_REFUSED' | null;
  /** The mistakes, with REPORT_REFUSED. */
  readonly message?: string;
  /** The next sequence number to send, with SEQUENCE_GAP. */
  readonly expectedSequence: number;
  readonly stoppedRunIds: readonly string[];
}

export type ReleaseReason = 'DRAINING' | 'PAUSED' | 'PREEMPTED';

/** Thrown for a leased task that this version can't read. It is handed back for a trainer of a newer version. */
export class UnreadableTaskError extends Error {
  override readonly name = 'UnreadableTaskError';
  readonly lease: TaskLease;

  constructor(lease: TaskLease, cause: unknown) {
    super(`Task ${lease.taskId} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.lease = lease;
  }
}

/** The answer to a registration. */
export interface Registered extends LeaseTiming {
  /** Cluster whose artifact store the trainer must use; empty if the coordinator's version does not report it. */
  readonly clusterId: string;
  /** Reason why the trainer gets no tasks; empty if it gets tasks. */
  readonly benchReason: string;
}

/**
 * The coordinator's interface for trainers, in the domain's types. All calls are idempotent. They throw the typed errors of
 * `core/errors.ts`, or the transport's.
 */
export interface Coordinator {
  register(trainer: TrainerDescription, store: StoreReport): Promise<Registered>;
  /** Leases a task; resolves to null if none became ready in time. @throws {UnreadableTaskError} */
  leaseTask(wanted: WantedTask, signal: AbortSignal): Promise<LeasedTask | null>;
  heartbeat(tasks: readonly TaskProgress[], draining: boolean, deadlineMs: number): Promise<readonly TaskDirective[]>;
  registerCheckpoint(lease: TaskLease, checkpoint: CheckpointRef, signal: AbortSignal): Promise<CheckpointRef>;
  completeTask(lease: TaskLease, end: TaskEnd, signal: AbortSignal): Promise<void>;
  releaseTask(lease: TaskLease, reason: ReleaseReason, signal: AbortSignal): Promise<void>;
  reportMetrics(batches: AsyncIterable<MetricBatch>, signal: AbortSignal): AsyncIterable<MetricAnswer>;
  close(): void;
}
