import type { ArtifactStore } from '../../../platform/artifacts/artifact-store.ts';
import type { MlflowClient } from '../../../platform/mlflow/mlflow-client.ts';
import type { Logger } from '../../../platform/telemetry/logger.ts';
import type { Store } from '../../store/store.ts';
import type { MirrorPlace, Subject } from '../../store/outbox/claim-subjects.ts';

/** The dependencies of sending. */
export interface MirrorContext {
  /** A pool for the mirror alone, so that it and training never wait for each other's connections. */
  readonly pool: Store['pool'];
  readonly artifacts: ArtifactStore;
  readonly log: Logger;
  /** Experiment of sweeps that name none. */
  readonly experiment: string;
  /** Returns the report of a sweep as one HTML page. */
  readonly makeReport: (sweepId: string, signal: AbortSignal) => Promise<Uint8Array>;
}

/** A subject that has a run on the server. */
export interface PlacedSubject {
  readonly subject: Subject;
  readonly place: MirrorPlace;
  /** Renews the subject's claim before every request. */
  readonly client: MlflowClient;
  readonly signal: AbortSignal;
}
