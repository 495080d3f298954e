import type { Transferable, Worker } from 'node:worker_threads';
import { RateLimitedError } from '../../core/errors.ts';
import { startThread } from './node-program.ts';
import type { JobReply, JobRequest, Jobs } from './worker-jobs.ts';

/** Retry-after for jobs over a limit. It is a guess: when a job will end is unknown. */
const RETRY_MS = 1_000;

export interface WorkerPoolOptions {
  /** Module that calls `serveJobs`, as for `nodeProgram`. */
  readonly module: string;
  /** Maximum number of threads. They start when there is work. */
  readonly threadCount: number;
  /** Maximum number of jobs that wait for a thread. */
  readonly maxQueued: number;
  /** Maximum number of jobs of one caller, waiting and running. */
  readonly maxPerCaller: number;
  /** Time after which an idle thread ends, milliseconds. */
  readonly idleMs: number;
  /** Heap of one thread, MiB. A job that needs more fails; other jobs are unaffected. */
  readonly heapMib: number;
}

export interface JobOptions {
  /** Caller to which the limit per caller applies. */
  readonly caller: string;
  /** Ends the job, even within a loop, by terminating its thread. */
  readonly signal?: AbortSignal;
  readonly transfer?: readonly Transferable[];
}

interface Job {
  readonly request: JobRequest;
  readonly transfer: readonly Transferable[];
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
  thread: Thread | null;
}

interface Thread {
  readonly worker: Worker;
  job: Job | null;
  idleTimer: NodeJS.Timeout | null;
}

/**
 * A pool of threads for work that would block the event loop. Jobs are served in order, one per thread.
 *
 * `tinypool` 2.2 does not replace this: without idle threads, jobs behind an aborted one wait forever; with idle threads, each start
 * of a coordinator costs a second of processor time.
 */
export class WorkerPool<J extends Jobs> implements AsyncDisposable {
  readonly #options: WorkerPoolOptions;
  readonly #threads = new Set<Thread>();
  readonly #queue: Job[] = [];
  readonly #perCaller = new Map<string, number>();
  #isEnded = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /**
   * Runs a job of the module.
   *
   * @throws RateLimitedError if too many jobs wait, of the caller or in total; the signal's reason; an `Error` with the message of
   * the error that the job threw.
   */
  async run<K extends keyof J & string>(
    kind: K,
    input: Parameters<J[K]>[0],
    { caller, signal, transfer = [] }: JobOptions,
  ): Promise<Awaited<ReturnType<J[K]>>> {
    signal?.throwIfAborted();
    if (this.#isEnded) throw new Error('The pool of threads has ended.');
    const own = this.#perCaller.get(caller) ?? 0;
    const { maxPerCaller, maxQueued } = this.#options;
    if (own >= maxPerCaller) {
      throw new RateLimitedError(`A token may have at most ${maxPerCaller} plans and submissions at once.`, RETRY_MS);
    }
    if (this.#queue.length >= maxQueued) {
      throw new RateLimitedError(`${maxQueued} plans and submissions are waiting already.`, RETRY_MS);
    }
    this.#perCaller.set(caller, own + 1);
    const listening = new AbortController();
    try {
      return await new Promise<Awaited<ReturnType<J[K]>>>((resolve, reject) => {
        const job: Job = { request: { kind, input }, transfer, resolve, reject, thread: null };
        const abort = (): void => this.#abort(job, signal?.reason);
        signal?.addEventListener('abort', abort, { once: true, signal: listening.signal });
        this.#queue.push(job);
        this.#assign();
      });
    } finally {
      listening.abort();
      const left = (this.#perCaller.get(caller) ?? 1) - 1;
      if (left === 0) this.#perCaller.delete(caller);
      else this.#perCaller.set(caller, left);
    }
  }

  /** Ends all threads; running and waiting jobs fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    for (const job of this.#queue.splice(0)) job.reject(new Error('The pool of threads has ended.'));
    await Promise.all(
      [...this.#threads].map((thread) => this.#end(thread, new Error('The pool of threads has ended.'))),
    );
  }

  #assign(): void {
    while (this.#queue.length > 0) {
      const idle = [...this.#threads].find(({ job }) => job === null);
      if (idle === undefined && this.#threads.size >= this.#options.threadCount) return;
      const job = this.#queue.shift();
      if (job !== undefined) this.#begin(idle ?? this.#start(), job);
    }
  }

  #begin(thread: Thread, job: Job): void {
    if (thread.idleTimer !== null) clearTimeout(thread.idleTimer);
    thread.job = job;
    job.thread = thread;
    thread.worker.ref();
    thread.worker.postMessage(job.request, job.transfer);
  }

  #start(): Thread {
    const worker = startThread(this.#options.module, {
      resourceLimits: { maxOldGenerationSizeMb: this.#options.heapMib },
    });
    const thread: Thread = { worker, job: null, idleTimer: null };
    worker.on('message', (reply: JobReply) => this.#answer(thread, reply));
    worker.on('error', (error) => void this.#end(thread, error));
    worker.on('exit', (code) => void this.#end(thread, new Error(`A thread ended with code ${code}.`)));
    this.#threads.add(thread);
    return thread;
  }

  #answer(thread: Thread, reply: JobReply): void {
    const { job } = thread;
    if (job === null) return;
    thread.job = null;
    thread.worker.unref();
    thread.idleTimer = setTimeout(() => void this.#end(thread, null), this.#options.idleMs).unref();
    if ('error' in reply) job.reject(Object.assign(new Error(reply.error.message), { stack: reply.error.stack }));
    else job.resolve(reply.result as never);
    this.#assign();
  }

  #abort(job: Job, reason: unknown): void {
    const waiting = this.#queue.indexOf(job);
    if (waiting >= 0) {
      this.#queue.splice(waiting, 1);
      job.reject(reason);
    } else if (job.thread?.job === job) void this.#end(job.thread, reason);
  }

  /** Terminates a thread; its job fails with the reason. Waiting jobs get another thread. */
  async #end(thread: Thread, reason: unknown): Promise<void> {
    if (!this.#threads.delete(thread)) return;
    if (thread.idleTimer !== null) clearTimeout(thread.idleTimer);
    thread.job?.reject(reason);
    thread.job = null;
    const terminated = thread.worker.terminate();
    if (!this.#isEnded) this.#assign();
    await terminated;
  }
}
