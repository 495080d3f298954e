import type { Transferable, Worker } from 'node:worker_threads';
import { RateLimitedError } from '../../core/errors.ts';
import { startThread } from './node-program.ts';
import type { JobReply, JobRequest, Jobs } from './worker-jobs.ts';

/** Retry-after for jobs over a limit. It is a guess: when a job will end is unknown. */
const RETRY_MS = 1_000;

export interface WorkerPoolOptions {
  /** Module below `services`, without ending, that calls `serveJobs`. */
  readonly module: string;
  /** Threads that work at the same time; they start when there is work. */
  readonly threadCount: number;
  /** Jobs that wait for a thread. */
  readonly maxQueued: number;
  /** Jobs of one caller, waiting and running. */
  readonly maxPerCaller: number;
  /** A thread without work ends after this, milliseconds. */
  readonly idleMs: number;
  /** Heap of one thread, MiB; a job that needs more fails, and nothing else. */
  readonly heapMib: number;
}

export interface JobOptions {
  /** Whom the limit per caller counts. */
  readonly caller: string;
  /** Ends the job, also in the middle of a loop: its thread is terminated. */
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
 * Threads for work that would hold the event loop for long. Jobs are served in order, one a thread.
 *
 * Own code because of what ends a job: `tinypool` 2.2 leaves the jobs behind an aborted one waiting where it keeps no idle
 * threads, and with idle threads every start of a coordinator costs a second of processor time.
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
   * @throws RateLimitedError when too many wait, of the caller or of all; the signal's reason; what the job threw, as an `Error`
   * with its message
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
      throw new RateLimitedError(`A token may have ${maxPerCaller} plans and submissions in work at once.`, RETRY_MS);
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

  /** Terminates a thread; its job fails with the reason. The jobs that wait get another one. */
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
