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

/** What the handlers need. */
export interface RpcContext {
  readonly store: Store;
  readonly ingest: MetricIngest;
  readonly feed: EventFeed;
  readonly signals: Signals;
  readonly artifacts: ArtifactStore;
  /** Which the artifact store's marker has too. */
  readonly clusterId: string;
  /** Threads that plan and draw sweeps. */
  readonly plans: WorkerPool<typeof PLAN_JOBS>;
  /** Lists. */
  readonly longAnswers: LongAnswers;
  /** Sweeps that are being inserted, apart from lists because each can take seconds. */
  readonly submissions: LongAnswers;
  readonly timing: LeaseTiming;
  /** Runs of an ended sweep whose best checkpoint stays. */
  readonly keepBest: number;
  /** MLflow server that everything is mirrored to; null: none. */
  readonly mlflowUri: string | null;
  readonly log: Logger;
  /** Graft's, for trainers of another one. */
  readonly version: string;
  /** Counts a refusal that is an answer of a stream; calls that end with theirs are counted where they end. */
  readonly noteRefusal: (path: string, error: unknown) => void;
}
