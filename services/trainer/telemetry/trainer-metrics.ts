import type { LeaseTiming } from '../../core/lease.ts';
import type { Counter, Gauge, Histogram, Metrics } from '../../platform/telemetry/metrics.ts';
import { readMemoryLimit } from '../slots/worker-exit.ts';
import type { GpuReading } from './gpu-memory.ts';

/** Bucket bounds in seconds. */
const INGEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface TrainerSources {
  readonly readGpus: () => Promise<readonly GpuReading[]>;
  readonly readWorkerMemory: () => Promise<number>;
}

/** The Prometheus metrics of a trainer. `metered-coordinator.ts` updates the counters; memory is read at each scrape. */
export class TrainerMetrics {
  readonly busySlots: Gauge;
  readonly heartbeats: Counter<'result'>;
  readonly epochs: Counter<'stage'>;
  readonly images: Counter<'stage'>;
  readonly imagesPerSecond: Gauge<'slot' | 'stage'>;
  readonly attempts: Counter<'stage' | 'outcome' | 'error_class'>;
  readonly checkpoints: Counter<'kind'>;
  readonly checkpointBytes: Counter<'kind'>;
  readonly ingestSeconds: Histogram;
  readonly #slots: Gauge;
  readonly #heartbeatTime: Gauge;
  #silenceLimitMs: number | null = null;
  #answeredAt: number | null = null;

  /** @param sources null: only the definitions, for tests of rules and dashboards. */
  constructor(metrics: Metrics, sources: TrainerSources | null) {
    this.#slots = metrics.gauge({ name: 'graft_trainer_slots', help: 'Slots of this trainer.' });
    this.busySlots = metrics.gauge({ name: 'graft_trainer_slots_busy', help: 'Slots that work on a task.' });
    this.heartbeats = metrics.counter({
      name: 'graft_trainer_heartbeats_total',
      help: 'Heartbeats sent, by result: answered or failed.',
      labels: ['result'],
    });
    this.#heartbeatTime = metrics.gauge({
      name: 'graft_trainer_heartbeat_timestamp_seconds',
      help: 'Time of the last answered heartbeat, Unix time.',
    });
    this.epochs = metrics.counter({
      name: 'graft_trainer_epochs_total',
      help: 'Epochs trained, counted for each run that shares a batch.',
      labels: ['stage'],
    });
    this.images = metrics.counter({
      name: 'graft_trainer_images_total',
      help: 'Training images read, counted for each run that shares a batch, at the end of an epoch.',
      labels: ['stage'],
    });
    this.imagesPerSecond = metrics.gauge({
      name: 'graft_trainer_images_per_second',
      help: 'Training images per second in the last epoch that ended on a slot; absent while it does not train.',
      labels: ['slot', 'stage'],
    });
    this.attempts = metrics.counter({
      name: 'graft_trainer_attempts_ended_total',
      help: 'Attempts that ended: succeeded, failed (with the class of the error) or released (handed back).',
      labels: ['stage', 'outcome', 'error_class'],
    });
    this.checkpoints = metrics.counter({
      name: 'graft_trainer_checkpoints_total',
      help: 'Checkpoints registered: BEST or LAST.',
      labels: ['kind'],
    });
    this.checkpointBytes = metrics.counter({
      name: 'graft_trainer_checkpoint_bytes_total',
      help: 'Size of the checkpoints registered.',
      labels: ['kind'],
    });
    this.ingestSeconds = metrics.histogram(
      {
        name: 'graft_trainer_metric_ingest_seconds',
        help: 'Time from the first sending of a batch of epoch metrics to its acknowledgement.',
      },
      INGEST_BUCKETS,
    );
    this.#addMemory(metrics, sources);
  }

  registered(timing: LeaseTiming, slotCount: number): void {
    this.#silenceLimitMs = timing.silenceLimitMs;
    this.#answeredAt = performance.now();
    this.#slots.set(slotCount);
  }

  heartbeatAnswered(): void {
    this.heartbeats.inc({ result: 'answered' });
    this.#answeredAt = performance.now();
    this.#heartbeatTime.setToCurrentTime();
  }

  /** Returns null if the trainer is registered and a coordinator has answered within the silence limit. */
  whyNotReady(): string | null {
    if (this.#silenceLimitMs === null || this.#answeredAt === null) return 'not registered with a coordinator yet';
    const silentMs = performance.now() - this.#answeredAt;
    if (silentMs <= this.#silenceLimitMs) return null;
    return `no coordinator has answered for ${Math.round(silentMs / 1_000)} s`;
  }

  #addMemory(metrics: Metrics, sources: TrainerSources | null): void {
    const worker = metrics.gauge({
      name: 'graft_trainer_worker_memory_bytes',
      help: 'Resident memory of all worker processes.',
    });
    const limit = metrics.gauge({
      name: 'graft_trainer_memory_limit_bytes',
      help: 'Memory limit of the container, else memory of the machine.',
    });
    const gpuUsed = metrics.gauge({
      name: 'graft_trainer_gpu_memory_used_bytes',
      help: 'Memory in use on a GPU, by all its processes.',
      labels: ['gpu'],
    });
    const gpuTotal = metrics.gauge({
      name: 'graft_trainer_gpu_memory_total_bytes',
      help: 'Memory of a GPU.',
      labels: ['gpu'],
    });
    const gpuUtilization = metrics.gauge({
      name: 'graft_trainer_gpu_utilization_ratio',
      help: 'Share of time in which a kernel ran on a GPU, 0 to 1.',
      labels: ['gpu'],
    });
    if (sources === null) return;
    metrics.beforeScrape(async () => {
      const [workerBytes, gpus] = await Promise.all([sources.readWorkerMemory(), sources.readGpus()]);
      worker.set(workerBytes);
      limit.set(readMemoryLimit());
      for (const gauge of [gpuUsed, gpuTotal, gpuUtilization]) gauge.reset();
      for (const { index, usedBytes, totalBytes, utilization } of gpus) {
        gpuUsed.set({ gpu: index }, usedBytes);
        gpuTotal.set({ gpu: index }, totalBytes);
        if (utilization !== null) gpuUtilization.set({ gpu: index }, utilization);
      }
    });
  }
}
