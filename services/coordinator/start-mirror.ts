import type { ArtifactStore } from '../platform/artifacts/artifact-store.ts';
import { createPool } from '../platform/db/pool.ts';
import type { PoolOptions } from '../platform/db/pool.ts';
import { MlflowMirror } from './loops/mlflow/mlflow-mirror.ts';
import { makeReport } from './loops/mlflow/report-command.ts';
import type { MlflowConfig } from './mlflow-config.ts';

/** Connections of the mirror. It sends four subjects concurrently, and each queries the database only between two requests. */
const CONNECTIONS = 3;

export interface MirrorOptions extends Pick<PoolOptions, 'log' | 'outage'> {
  readonly databaseUrl: string;
  readonly artifacts: ArtifactStore;
  /** `host:port` of this coordinator, once it listens. */
  readonly address: () => string;
}

/** Returns the MLflow mirror with a pool of its own. The leader loops run it. */
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
