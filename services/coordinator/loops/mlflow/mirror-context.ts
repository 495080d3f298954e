import type { ArtifactStore } from '../../../platform/artifacts/artifact-store.ts';
import type { MlflowClient } from '../../../platform/mlflow/mlflow-client.ts';
import type { Logger } from '../../../platform/telemetry/logger.ts';
import type { Store } from '../../store/store.ts';
import type { MirrorPlace, Subject } from '../../store/outbox/claim-subjects.ts';

/** What sending needs. */
export interface MirrorContext {
  /** Of the mirror's own, so that it never waits for a connection that training needs, nor the other way round. */
  readonly pool: Store['pool'];
  readonly artifacts: ArtifactStore;
  readonly log: Logger;
  /** Experiment of sweeps that name none. */
  readonly experiment: string;
  /** The report of a sweep as one HTML page. */
  readonly makeReport: (sweepId: string, signal: AbortSignal) => Promise<Uint8Array>;
}

/** A subject that is on the server. */
export interface PlacedSubject {
  readonly subject: Subject;
  readonly place: MirrorPlace;
  /** Renews the subject's claim before every request. */
  readonly client: MlflowClient;
  readonly signal: AbortSignal;
}
