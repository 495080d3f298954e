import type { LeaseTiming } from '../../core/lease.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import type { WorkerPool } from '../../platform/lifecycle/worker-pool.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { EventFeed } from '../store/events/event-feed.ts';
import type { MetricIngest } from '../store/metrics/metric-ingest.ts';
import type { Signals } from '../store/signals.ts';
import type { Store } from '../store/store.ts';
import type { LongAnswers } from './lists/long-answers.ts';
import type { PLAN_JOBS } from './planning/plan-worker.ts';

/** The dependencies of the handlers. */
export interface RpcContext {
  readonly store: Store;
  readonly ingest: MetricIngest;
  readonly feed: EventFeed;
  readonly signals: Signals;
  readonly artifacts: ArtifactStore;
  /** The cluster that the marker of the artifact store names. */
  readonly clusterId: string;
  /** Threads that plan and draft sweeps. */
  readonly plans: WorkerPool<typeof PLAN_JOBS>;
  /** Bounds lists. */
  readonly longAnswers: LongAnswers;
  /** Bounds insertions of sweeps, apart from lists because each can take seconds. */
  readonly submissions: LongAnswers;
  readonly timing: LeaseTiming;
  /** Number of runs of an ended sweep whose best checkpoint is kept. */
  readonly keepBest: number;
  /** MLflow server that sweeps and runs are mirrored to; null: none. */
  readonly mlflowUri: string | null;
  readonly log: Logger;
  /** Version of Graft, compared with that of trainers. */
  readonly version: string;
  /** Counts a refusal that is an answer within a stream. Refusals that end a call are counted when the call ends. */
  readonly countRefusal: (path: string, error: unknown) => void;
}
