import type { LeaseTiming } from '../../core/lease.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Signals } from '../store/signals.ts';
import type { Store } from '../store/store.ts';

/** What the handlers need. */
export interface RpcContext {
  readonly store: Store;
  readonly signals: Signals;
  readonly artifacts: ArtifactStore;
  readonly timing: LeaseTiming;
  readonly log: Logger;
}
