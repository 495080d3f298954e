import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import type { Transferable } from 'node:worker_threads';

/** Functions of a worker thread, by name. Inputs and results are cloned between threads. */
export type Jobs = Readonly<Record<string, (input: never) => unknown>>;

export interface JobRequest {
  readonly kind: string;
  readonly input: unknown;
}

export type JobReply =
  { readonly result: unknown } | { readonly error: { readonly message: string; readonly stack: string | undefined } };

/**
 * Serves jobs in a thread of a `WorkerPool`, one after the other. The thread runs at a lower priority, so that a machine with few
 * processors answers calls first.
 *
 * @param transferOf returns the parts of a result that are transferred instead of copied.
 */
export function serveJobs(jobs: Jobs, transferOf: (result: unknown) => readonly Transferable[] = () => []): void {
  const port = parentPort;
  if (port === null) throw new Error('serveJobs must run in a thread of a WorkerPool.');
  // Linux has a priority for each thread; 0 is the calling thread.
  setPriority(0, constants.priority.PRIORITY_LOW);
  port.on('message', ({ kind, input }: JobRequest) => {
    void (async () => {
      const job = jobs[kind];
      try {
        if (job === undefined) throw new Error(`There is no job ${kind}.`);
        const result = await job(input as never);
        port.postMessage({ result } satisfies JobReply, transferOf(result));
      } catch (error) {
        const { message, stack } = error instanceof Error ? error : new Error(String(error));
        port.postMessage({ error: { message, stack } } satisfies JobReply);
      }
    })();
  });
}
