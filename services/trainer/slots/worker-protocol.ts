import type { EngineInfo } from '../engine/engine-info.ts';
import type { CheckpointRef, LeasedTask, RungReport, Stage, TaskError, TaskResult } from '../../core/task.ts';

/**
 * A message from the supervisor to its worker process (Node IPC, `serialization: 'advanced'`). The worker does all TensorFlow
 * work, one task at a time. It reads and writes the artifact store directly and does not use gRPC.
 */
export type SlotCommand =
  | { readonly type: 'start'; readonly task: LeasedTask }
  /** `pause` and `stop`: save at the next step, then answer `stopped`. `checkpoint`: save and continue. */
  | { readonly type: 'control'; readonly taskId: string; readonly action: 'pause' | 'stop' | 'checkpoint' }
  /** One run leaves the group; the others continue. */
  | { readonly type: 'stop-run'; readonly taskId: string; readonly runId: string };

/**
 * A message from the worker to its supervisor, which keeps the order: the `epoch` and `rung` events before a `checkpoint` event are durable
 * at the coordinator before that checkpoint is registered. So a checkpoint at epoch E implies the metrics up to E.
 */
export type SlotEvent =
  | { readonly type: 'ready'; readonly engine: EngineInfo }
  /** Sent at least every few seconds while the worker is not stuck. */
  | {
      readonly type: 'progress';
      readonly taskId: string;
      readonly stepCount: number;
      readonly stepLimit: number;
      readonly detail: string;
    }
  | {
      readonly type: 'epoch';
      readonly taskId: string;
      readonly runId: string;
      readonly stage: Stage;
      /** Number of the epoch, from 1. */
      readonly epoch: number;
      /** Values of loss, accuracy, val_loss, val_accuracy, learning_rate, seconds, images_per_second and the class metrics. */
      readonly values: Readonly<Record<string, number>>;
    }
  /** Results by image of an epoch that was reported before. */
  | { readonly type: 'rung'; readonly taskId: string; readonly report: RungReport }
  | { readonly type: 'checkpoint'; readonly taskId: string; readonly checkpoint: CheckpointRef }
  | { readonly type: 'completed'; readonly taskId: string; readonly result: TaskResult }
  | { readonly type: 'failed'; readonly taskId: string; readonly error: TaskError }
  /** Answer to `pause` or `stop`: everything is saved and reported. */
  | { readonly type: 'stopped'; readonly taskId: string; readonly action: 'pause' | 'stop' };

/** The environment of a worker process, which the supervisor sets and `worker.ts` reads. */
export interface WorkerEnvironment {
  /** Address of the artifact store: a folder, or `s3://<bucket>/<prefix>`. */
  readonly GRAFT_ARTIFACTS_DIR: string;
  readonly GRAFT_CACHE_DIR: string;
  /** Maximum size of the copies of a remote store's files. */
  readonly GRAFT_TRAINER_CACHE_BYTES: string;
  /** Intra-op threads. */
  readonly GRAFT_SLOT_THREADS: string;
  /** Seconds between saves of the latest state. */
  readonly GRAFT_CHECKPOINT_SECONDS: string;
  /** Maximum number of pixels of an image; read by `data/image-limit.ts`. */
  readonly GRAFT_MAX_IMAGE_PIXELS: string;
  /** Folder in which images and weights must lie; unset: no limit. */
  readonly GRAFT_DATA_ROOT?: string;
}
