import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_RETRY, createClient } from '../../../services/platform/rpc/client.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { specOf } from '../../integration/coordinator/harness.ts';
import { CoordinatorProcess } from '../../support/coordinator-process.ts';

const RUN_COUNT = 10_000;
const WATCHER_COUNT = 500;
/**
 * Watchers share connections, as a dashboard's users share those of a proxy; HTTP/2 allows 100 streams per connection.
 */
const WATCHERS_PER_CLIENT = 50;
/** Interval of the events that every watcher receives while the memory is measured. */
const EVENT_PERIOD_MS = 250;
const SAMPLE_MS = 500;
/** A busy machine must not end the measurement. */
const PATIENT = { deadlineMs: 60_000 };

export interface CoordinatorMemory {
  readonly runCount: number;
  readonly watcherCount: number;
  /** Number of events that all watchers received together. */
  readonly deliveredCount: number;
  readonly highestBytes: number;
  /** Means of the first and the last third of the time; a leak would separate them. */
  readonly firstBytes: number;
  readonly lastBytes: number;
}

/**
 * Measures a coordinator's memory with 10,000 runs in the database and 500 watchers that receive events continuously.
 */
export async function measureCoordinatorMemory(folder: string, seconds: number): Promise<CoordinatorMemory> {
  await using coordinator = await CoordinatorProcess.start(folder, { isBuilt: true });
  const values = Array.from({ length: RUN_COUNT }, (_, index) => index + 1);
  const spec = specOf({ parameters: [{ name: 'data_seed', domain: { kind: 'values', values }, conditions: [] }] });
  const { sweep } = await coordinator.sweeps.call.createSweep({ requestId: '', spec: sweepSpecToProto(spec) }, PATIENT);
  if (sweep === undefined) throw new Error('The answer to CreateSweep has no sweep.');
  const clients = Array.from({ length: WATCHER_COUNT / WATCHERS_PER_CLIENT }, () =>
    createClient(SweepServiceService, { addresses: [coordinator.address], retry: NO_RETRY }),
  );
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  let deliveredCount = 0;
  const watchers = clients.flatMap((client) =>
    Array.from({ length: WATCHERS_PER_CLIENT }, async () => {
      try {
        const events = client.call.watchSweep({ sweepId: sweep.sweepId, cursor: 0n }, { signal: stop.signal });
        for await (const { cursor } of events) if (cursor > 0n) deliveredCount += 1;
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      }
    }),
  );
  const samples: number[] = [];
  try {
    const end = Date.now() + seconds * 1000;
    while (Date.now() < end) {
      // Pausing and resuming produce events of different kinds, through the same calls as a person's.
      await coordinator.sweeps.call.pauseSweep({ sweepId: sweep.sweepId, reason: 'bench' }, PATIENT);
      await sleep(EVENT_PERIOD_MS);
      await coordinator.sweeps.call.resumeSweep({ sweepId: sweep.sweepId }, PATIENT);
      await sleep(SAMPLE_MS - EVENT_PERIOD_MS);
      samples.push(coordinator.residentBytes);
    }
  } finally {
    stop.abort();
    await Promise.all(watchers);
    for (const client of clients) client.close();
  }
  const third = Math.floor(samples.length / 3);
  return {
    runCount: RUN_COUNT,
    watcherCount: WATCHER_COUNT,
    deliveredCount,
    highestBytes: Math.max(...samples),
    firstBytes: mean(samples.slice(0, third)),
    lastBytes: mean(samples.slice(-third)),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
