import { startOperationsServer } from '../../platform/http/operations-server.ts';
import type { OperationsServer } from '../../platform/http/operations-server.ts';
import { callMetrics } from '../../platform/rpc/call-metrics.ts';
import type { Interceptor } from '../../platform/rpc/call-context.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { Metrics } from '../../platform/telemetry/metrics.ts';
import { pingDatabase, countConnections, readOperations } from '../store/operations/read-operations.ts';
import type { Store } from '../store/store.ts';
import { addCoordinatorMetrics } from './coordinator-metrics.ts';
import { refusedReports } from './refused-reports.ts';
import type { RefusedReports } from './refused-reports.ts';

export interface OperationsOptions {
  /** `host:port` to listen on. */
  readonly listen: string;
  readonly log: Logger;
  readonly store: Store;
  readonly isLeader: () => boolean;
  /** Returns whether gRPC health reports SERVING. */
  readonly isServing: () => boolean;
  /** Returns the expiry of the gRPC port's certificate; null: without TLS. */
  readonly certificateExpires: () => Date | null;
}

/** The coordinator's operations port, the interceptor that counts its calls, and the counter of refused reports. */
export interface Operations {
  readonly server: OperationsServer;
  readonly countCalls: Interceptor;
  readonly refusals: RefusedReports;
}

/**
 * Starts the operations port. A coordinator is ready when it serves and its database answers.
 *
 * @throws Error when the address can't be listened on.
 */
export async function startOperations(options: OperationsOptions): Promise<Operations> {
  const { listen, log, store, isLeader, isServing, certificateExpires } = options;
  const metrics = new Metrics();
  const countCalls = callMetrics(metrics);
  const refusals = refusedReports(metrics);
  addCoordinatorMetrics(metrics, {
    readOperations: () => readOperations(store),
    isLeader,
    connections: () => countConnections(store),
    certificateExpires,
  });
  const whyNotReady = async (): Promise<string | null> => {
    if (!isServing()) return 'starting or draining';
    try {
      await pingDatabase(store);
      return null;
    } catch (error) {
      log.warn({ err: error }, 'not ready');
      return 'the database does not answer';
    }
  };
  return { server: await startOperationsServer({ listen, metrics, whyNotReady, log }), countCalls, refusals };
}
