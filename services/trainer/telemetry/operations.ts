import { startOperationsServer } from '../../platform/http/operations-server.ts';
import type { OperationsServer } from '../../platform/http/operations-server.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { Metrics } from '../../platform/telemetry/metrics.ts';
import { readGpus } from './gpu-memory.ts';
import { TrainerMetrics } from './trainer-metrics.ts';
import { readWorkerMemory } from './worker-memory.ts';

export interface OperationsOptions {
  /** Address `host:port`. */
  readonly listen: string;
  readonly log: Logger;
  /** True if this trainer has GPUs to read. */
  readonly hasGpus: boolean;
}

/** The trainer's operations port and its metrics. */
export interface Operations {
  readonly server: OperationsServer;
  readonly metrics: TrainerMetrics;
}

/** Starts the operations port. @throws {Error} when the address can't be listened on. */
export async function startOperations({ listen, log, hasGpus }: OperationsOptions): Promise<Operations> {
  const registry = new Metrics();
  const metrics = new TrainerMetrics(registry, {
    readGpus: hasGpus ? readGpus : (): Promise<[]> => Promise.resolve([]),
    readWorkerMemory,
  });
  const whyNotReady = (): string | null => metrics.whyNotReady();
  return { metrics, server: await startOperationsServer({ listen, metrics: registry, whyNotReady, log }) };
}
