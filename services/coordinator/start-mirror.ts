import type { ArtifactStore } from '../platform/artifacts/artifact-store.ts';
import { createPool } from '../platform/db/pool.ts';
import type { PoolOptions } from '../platform/db/pool.ts';
import { MlflowMirror } from './loops/mlflow/mlflow-mirror.ts';
import { makeReport } from './loops/mlflow/report-command.ts';
import type { MlflowConfig } from './mlflow-config.ts';

/** Connections of the mirror's own: it sends four subjects side by side, and each asks the database between two requests only. */
const CONNECTIONS = 3;

export interface MirrorOptions extends Pick<PoolOptions, 'log' | 'outage'> {
  readonly databaseUrl: string;
  readonly artifacts: ArtifactStore;
  /** `host:port` of this coordinator, once it listens. */
  readonly address: () => string;
}

/** The MLflow mirror with a pool of its own, to be run by the leader loops. */
export function createMirror(
  config: MlflowConfig,
  { databaseUrl, artifacts, address, ...poolOptions }: MirrorOptions,
): { readonly mirror: MlflowMirror; end(): Promise<void> } {
  const pool = createPool(databaseUrl, { max: CONNECTIONS, applicationName: 'graft-mlflow', ...poolOptions });
  const mirror = new MlflowMirror({
    ...config,
    pool,
    artifacts,
    log: poolOptions.log,
    makeReport: (sweepId, signal) => makeReport(address(), sweepId, signal),
  });
  const end = async (): Promise<void> => {
    await mirror[Symbol.asyncDispose]();
    await pool.end();
  };
  return { mirror, end };
}
