import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import type { Transferable } from 'node:worker_threads';

/** Functions that a thread offers, by name; inputs and results are cloned between threads. */
export type Jobs = Readonly<Record<string, (input: never) => unknown>>;

export interface JobRequest {
  readonly kind: string;
  readonly input: unknown;
}

export type JobReply =
  { readonly result: unknown } | { readonly error: { readonly message: string; readonly stack: string | undefined } };

/**
 * Serves jobs in a thread of a `WorkerPool`, one after the other. The thread runs at a lower priority: a machine with few
 * processors answers calls first.
 *
 * @param transferOf what a result hands over instead of copying
 */
export function serveJobs(jobs: Jobs, transferOf: (result: unknown) => readonly Transferable[] = () => []): void {
  const port = parentPort;
  if (port === null) throw new Error('Jobs are served in a thread of a pool.');
  // Linux keeps a priority for each thread, and 0 is the calling one.
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
