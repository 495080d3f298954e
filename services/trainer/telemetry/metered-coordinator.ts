import type { StoreReport } from '../../core/store-owner.ts';
import type { CheckpointRef, LeasedTask, Stage } from '../../core/task.ts';
import type {
  Coordinator,
  MetricAnswer,
  MetricBatch,
  Registered,
  ReleaseReason,
  TaskDirective,
  TaskEnd,
  TaskLease,
  TaskProgress,
  TrainerDescription,
  WantedTask,
} from '../lease/coordinator-port.ts';
import type { TrainerMetrics } from './trainer-metrics.ts';

interface HeldTask {
  readonly slotIndex: number;
  readonly stage: Stage;
  /** True once a heartbeat has reported it. */
  wasReported: boolean;
}

/**
 * Counts a trainer's calls to the coordinator, without changing calls or answers. Everything that a trainer does ends in a call,
 * so no other part of the trainer depends on metrics.
 */
export class MeteredCoordinator implements Coordinator {
  readonly #inner: Coordinator;
  readonly #metrics: TrainerMetrics;
  readonly #held = new Map<string, HeldTask>();
  /** Time at which a batch was first sent, by attempt and sequence number. A resent batch keeps its first time. */
  readonly #sentAt = new Map<string, number>();

  constructor(inner: Coordinator, metrics: TrainerMetrics) {
    this.#inner = inner;
    this.#metrics = metrics;
  }

  async register(trainer: TrainerDescription, store: StoreReport): Promise<Registered> {
    const timing = await this.#inner.register(trainer, store);
    this.#metrics.registered(timing, trainer.slots.length);
    return timing;
  }

  async leaseTask(wanted: WantedTask, signal: AbortSignal): Promise<LeasedTask | null> {
    const task = await this.#inner.leaseTask(wanted, signal);
    if (task === null) return null;
    const { slotIndex } = wanted;
    for (const [taskId, held] of this.#held) {
      if (held.slotIndex === slotIndex && taskId !== task.taskId) this.#forget(taskId, held);
    }
    this.#held.set(task.taskId, { slotIndex, stage: task.stage, wasReported: false });
    return task;
  }

  async heartbeat(
    tasks: readonly TaskProgress[],
    draining: boolean,
    deadlineMs: number,
  ): Promise<readonly TaskDirective[]> {
    this.#forgetAllBut(tasks);
    this.#metrics.busySlots.set(tasks.length);
    try {
      const directives = await this.#inner.heartbeat(tasks, draining, deadlineMs);
      this.#metrics.heartbeatAnswered();
      return directives;
    } catch (error) {
      this.#metrics.heartbeats.inc({ result: 'failed' });
      throw error;
    }
  }

  async registerCheckpoint(lease: TaskLease, checkpoint: CheckpointRef, signal: AbortSignal): Promise<CheckpointRef> {
    const registered = await this.#inner.registerCheckpoint(lease, checkpoint, signal);
    this.#metrics.checkpoints.inc({ kind: checkpoint.kind });
    this.#metrics.checkpointBytes.inc({ kind: checkpoint.kind }, checkpoint.sizeBytes);
    return registered;
  }

  async completeTask(lease: TaskLease, end: TaskEnd, signal: AbortSignal): Promise<void> {
    await this.#inner.completeTask(lease, end, signal);
    const isError = end.kind === 'error';
    this.#ended(lease, isError ? 'failed' : 'succeeded', isError ? end.error.errorClass : '');
  }

  async releaseTask(lease: TaskLease, reason: ReleaseReason, signal: AbortSignal): Promise<void> {
    await this.#inner.releaseTask(lease, reason, signal);
    this.#ended(lease, 'released', '');
  }

  async *reportMetrics(batches: AsyncIterable<MetricBatch>, signal: AbortSignal): AsyncIterable<MetricAnswer> {
    for await (const answer of this.#inner.reportMetrics(this.#watch(batches), signal)) {
      const sentAt = this.#sentAt.get(keyOf(answer));
      if (answer.refusal === null && sentAt !== undefined) {
        this.#sentAt.delete(keyOf(answer));
        this.#metrics.ingestSeconds.observe((performance.now() - sentAt) / 1_000);
      }
      yield answer;
    }
  }

  close(): void {
    this.#inner.close();
  }

  async *#watch(batches: AsyncIterable<MetricBatch>): AsyncIterable<MetricBatch> {
    for await (const batch of batches) {
      if (!this.#sentAt.has(keyOf(batch))) {
        this.#sentAt.set(keyOf(batch), performance.now());
        this.#count(batch);
      }
      yield batch;
    }
  }

  #count(batch: MetricBatch): void {
    const slot = String(this.#held.get(batch.taskId)?.slotIndex ?? '');
    for (const { stage, values } of batch.epochs) {
      this.#metrics.epochs.inc({ stage });
      const { images_per_second: rate, seconds } = values;
      if (rate === undefined || seconds === undefined || !Number.isFinite(rate * seconds)) continue;
      this.#metrics.images.inc({ stage }, rate * seconds);
      if (slot !== '') this.#metrics.imagesPerSecond.set({ slot, stage }, rate);
    }
  }

  #ended(lease: TaskLease, outcome: 'succeeded' | 'failed' | 'released', errorClass: string): void {
    const held = this.#held.get(lease.taskId);
    if (held === undefined) return;
    this.#metrics.attempts.inc({ stage: held.stage, outcome, error_class: errorClass });
    this.#forget(lease.taskId, held);
  }

  /** Forgets tasks that the heartbeats no longer report: a lost lease has no last call. */
  #forgetAllBut(tasks: readonly TaskProgress[]): void {
    const living = new Set(tasks.map(({ taskId }) => taskId));
    for (const [taskId, held] of this.#held) {
      if (living.has(taskId)) held.wasReported = true;
      else if (held.wasReported) this.#forget(taskId, held);
    }
  }

  #forget(taskId: string, { slotIndex, stage }: HeldTask): void {
    this.#held.delete(taskId);
    this.#metrics.imagesPerSecond.remove({ slot: String(slotIndex), stage });
    for (const key of this.#sentAt.keys()) {
      if (key.startsWith(`${taskId}/`)) this.#sentAt.delete(key);
    }
  }
}

function keyOf({ taskId, leaseEpoch, sequence }: TaskLease & { readonly sequence: number }): string {
  return `${taskId}/${leaseEpoch}/${sequence}`;
}
