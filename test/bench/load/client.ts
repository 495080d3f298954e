import process from 'node:process';
import { runIdOf } from '../../../services/core/ids.ts';
import { NO_RETRY, createClient } from '../../../services/platform/rpc/client.ts';
import type { RpcClient } from '../../../services/platform/rpc/client.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';

/** One calling process: `client.ts ADDRESS`, then jobs as messages; each is answered with its latencies. */
export interface LoadJob {
  readonly call: LoadCall;
  readonly sweepId: string;
  readonly runCount: number;
  /** Cursor of the ended sweep's last event, in digits. */
  readonly lastCursor: string;
  readonly concurrency: number;
  readonly seconds: number;
}

export interface LoadAnswer {
  /** Latency of every call, in order of completion. */
  readonly milliseconds: readonly number[];
  readonly failures: readonly string[];
}

export type LoadCall = keyof typeof CALLS;

type Sweeps = RpcClient<typeof SweepServiceService>;

const CALLS = {
  GetSweep: async (client: Sweeps, { sweepId }: LoadJob): Promise<void> => {
    await client.call.getSweep({ sweepId });
  },
  GetRun: async (client: Sweeps, { sweepId, runCount }: LoadJob): Promise<void> => {
    await client.call.getRun({ runId: runIdOf(sweepId, Math.floor(Math.random() * runCount)) });
  },
  'ListRuns, a page of 100': async (client: Sweeps, { sweepId }: LoadJob): Promise<void> => {
    await client.call.listRuns({ sweepId, pageSize: 100, pageToken: '' });
  },
  // The coordinator ends the stream: Node's HTTP/2 server closes the connection of a client that cancels streams by the
  // thousand (CVE-2023-44487).
  'WatchSweep, the last event of an ended sweep': async (client: Sweeps, { sweepId, lastCursor }: LoadJob) => {
    for await (const event of client.call.watchSweep({ sweepId, cursor: BigInt(lastCursor) - 1n })) {
      if (event.cursor !== BigInt(lastCursor)) throw new Error(`Event ${event.cursor} came instead of ${lastCursor}.`);
    }
  },
} as const;

async function work(client: Sweeps, job: LoadJob): Promise<LoadAnswer> {
  const milliseconds: number[] = [];
  const failures: string[] = [];
  const end = performance.now() + job.seconds * 1_000;
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      const begin = performance.now();
      try {
        await CALLS[job.call](client, job);
        milliseconds.push(performance.now() - begin);
      } catch (error) {
        if (failures.length < 10) failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: job.concurrency }, one));
  return { milliseconds, failures };
}

const address = process.argv[2];
if (address !== undefined && process.send !== undefined) {
  const client = createClient(SweepServiceService, { addresses: [address], retry: NO_RETRY });
  process.on('message', (job: LoadJob) => {
    void work(client, job).then((answer) => process.send?.(answer));
  });
  process.on('disconnect', () => client.close());
}
