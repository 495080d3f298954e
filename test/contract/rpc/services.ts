import { createServer as createTcpServer } from 'node:net';
import { createClient } from '../../../services/platform/rpc/client.ts';
import type { RpcClient } from '../../../services/platform/rpc/client.ts';
import { createServer } from '../../../services/platform/rpc/server.ts';
import type { Interceptor } from '../../../services/platform/rpc/call-context.ts';
import type { Handlers } from '../../../services/platform/rpc/server.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import type { ReportMetricsRequest, ReportMetricsResponse } from '../../../proto/gen/graft/v1/trainer_service.ts';

type TrainerDefinition = typeof TrainerServiceService;
type WatchHandler = Handlers<typeof SweepServiceService>['watchSweep'];

const log = createLogger('test', 'silent');
export const cleanups: (() => Promise<void> | void)[] = [];

/** Stops everything a test has started; for `afterEach`. */
export async function endServices(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

function unexpected(): never {
  throw new Error('not expected in this test');
}

function trainerHandlers(partial: Partial<Handlers<TrainerDefinition>>): Handlers<TrainerDefinition> {
  return {
    registerTrainer: unexpected,
    leaseTask: unexpected,
    heartbeat: unexpected,
    reportMetrics: unexpected,
    registerCheckpoint: unexpected,
    completeTask: unexpected,
    completeTaskInParts: unexpected,
    releaseTask: unexpected,
    ...partial,
  };
}

export async function startTrainerService(
  partial: Partial<Handlers<TrainerDefinition>>,
  interceptors: readonly Interceptor[] = [],
): Promise<{ server: ReturnType<typeof createServer>; address: string }> {
  const server = createServer({ log, interceptors });
  server.addService(TrainerServiceService, trainerHandlers(partial));
  const port = await server.listen('127.0.0.1:0');
  cleanups.push(() => server.drain(0));
  return { server, address: `127.0.0.1:${port}` };
}

export function trainerClient(addresses: readonly string[]): RpcClient<TrainerDefinition> {
  const client = createClient(TrainerServiceService, { addresses });
  cleanups.push(() => client.close());
  return client;
}

export async function closedPort(): Promise<string> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : unexpected();
}

export const HEARTBEAT = { trainerId: 't1', trainerSecret: '', tasks: [], draining: false };

export async function startSweepService(watchSweep: WatchHandler): Promise<RpcClient<typeof SweepServiceService>> {
  const server = createServer({ log });
  const others = Object.fromEntries(Object.keys(SweepServiceService).map((name) => [name, unexpected]));
  server.addService(SweepServiceService, { ...others, watchSweep } as unknown as Handlers<typeof SweepServiceService>);
  const port = await server.listen('127.0.0.1:0');
  const client = createClient(SweepServiceService, { addresses: [`127.0.0.1:${port}`] });
  cleanups.push(() => server.drain(0));
  cleanups.push(() => client.close());
  return client;
}

export function batch(sequence: bigint): ReportMetricsRequest {
  return { taskId: 't', leaseEpoch: 1, sequence, epochs: [], rungs: [], trainerId: '', leaseSecret: '' };
}

export function answerTo(sequence: bigint): ReportMetricsResponse {
  const refusal = { errorReason: '', errorMessage: '', expectedSequence: 0n };
  return { taskId: 't', leaseEpoch: 1, sequence, ...refusal, stoppedRunIds: [] };
}

export function eventOf(cursor: number, reason: string): ReturnType<typeof watchEvent> {
  return watchEvent(BigInt(cursor), reason);
}

function watchEvent(cursor: bigint, reason: string) {
  return {
    cursor,
    eventTime: undefined,
    event: { $case: 'sweepState' as const, value: { state: 1 as const, reason } },
  };
}

export async function* never(): AsyncGenerator<never> {
  await new Promise(() => undefined);
  yield unexpected();
}

export function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((fulfil) => (resolve = fulfil));
  return { promise, resolve };
}
