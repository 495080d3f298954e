import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { threadCount } from '../engine/engine.ts';
import { nodeProgram } from '../../platform/lifecycle/node-program.ts';
import { ImageDecodeError } from './decode-image.ts';
import { doJob } from './image-jobs.ts';
import type { DecoderAnswers, DecoderJob } from './image-jobs.ts';
import { ImageCacheError } from './image-cache-error.ts';
import type { ImageFault } from './image-cache-error.ts';

/**
 * Images per job: about 50 ms of work, so that a process that decodes by itself can still answer its supervisor in
 * between.
 */
const JOB_IMAGES = 32;

/** Images per decoder process. Decoding this many takes about as long as loading TensorFlow in a process. */
const IMAGES_PER_PROCESS = 1_000;
/** Upper limit of decoder processes; each uses about 250 MB. */
const MOST_PROCESSES = 8;

/** Reply of a decoder process to one job. */
export type DecoderReply =
  | { readonly answer: DecoderAnswers[DecoderJob['kind']] }
  | {
      readonly error: {
        readonly name: string;
        readonly message: string;
        readonly path?: string;
        readonly reason?: string;
        readonly fault?: ImageFault | null;
        /** Error code of the kernel, for example ENOENT. */
        readonly code?: string;
      };
    };

/**
 * Returns the number of decoder processes for an image count: at most one per thread of the slot. For few images it is
 * 1, meaning this process.
 */
export function decoderCountFor(imageCount: number): number {
  return Math.max(1, Math.min(threadCount, MOST_PROCESSES, Math.floor(imageCount / IMAGES_PER_PROCESS)));
}

/** Images from which a prediction decodes in other processes, whose start-up takes as long as decoding about 200. */
const PREDICTION_IMAGES = 200;

/**
 * Returns the number of decoder processes for a prediction: one for each thread from 200 images on. They start while this process
 * loads the model, and decode while it computes.
 */
export function predictionDecoderCount(imageCount: number): number {
  return imageCount < PREDICTION_IMAGES ? 1 : Math.max(2, Math.min(threadCount, MOST_PROCESSES));
}

/** Splits work into jobs. `first` is the index of a share's first item among all items. */
export function jobsOf<T, J>(
  items: readonly T[],
  jobOf: (share: readonly T[], first: number) => J,
  perJob = JOB_IMAGES,
): readonly J[] {
  return Array.from({ length: Math.ceil(items.length / perJob) }, (_, index) => {
    const first = index * perJob;
    return jobOf(items.slice(first, first + perJob), first);
  });
}

/**
 * Runs jobs in several processes, because the TensorFlow binding is not thread-safe; a count of 1 runs them in this
 * process. Answers arrive in any order.
 *
 * @param onAnswer may return a promise, until whose end the process gets no further job.
 * @param signal prevents further jobs from starting once aborted.
 * @throws the error of the first job that fails; the remaining jobs are abandoned.
 */
export async function runDecoders<J extends DecoderJob>(
  jobs: readonly J[],
  decoderCount: number,
  onAnswer: (job: J, answer: DecoderAnswers[J['kind']]) => void | Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const decoders = decoderCount > 1 ? Array.from({ length: decoderCount }, () => new DecoderProcess()) : [];
  const waiting = jobs.values();
  const work = async (run: (job: J) => Promise<DecoderAnswers[J['kind']]>): Promise<void> => {
    // The iterator is shared: each worker takes the next job when it is free.
    for (const job of waiting) {
      signal?.throwIfAborted();
      await onAnswer(job, await run(job));
    }
  };
  try {
    if (decoders.length === 0) await work(doJob);
    else await Promise.all(decoders.map((decoder) => work((job) => decoder.run(job))));
  } finally {
    for (const decoder of decoders) decoder.end();
  }
}

/** A child process running `decoder-process.ts`, which executes one job at a time. */
class DecoderProcess {
  readonly #child: ChildProcess;
  /** Rejects when the process ends, for whatever reason. */
  readonly #ended: Promise<never>;

  constructor() {
    const { script, execArgv } = nodeProgram('trainer/data/decoder-process');
    this.#child = fork(script, [], {
      execArgv: [...execArgv],
      // The GPU belongs to the worker.
      env: { ...process.env, GRAFT_SLOT_THREADS: '1', CUDA_VISIBLE_DEVICES: '' },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#ended = new Promise((_, reject) => {
      this.#child.once('error', reject).once('exit', (code, signal) => {
        const how = signal ?? `exit code ${code ?? 'unknown'}`;
        reject(new Error(`A decoder process ended with ${how}.`));
      });
    });
    this.#ended.catch(() => undefined);
  }

  async run<J extends DecoderJob>(job: J): Promise<DecoderAnswers[J['kind']]> {
    const answered = new Promise<DecoderReply>((resolve) => {
      this.#child.once('message', (message) => resolve(message as DecoderReply));
    });
    // If sending fails, the process has ended.
    this.#child.send(job, () => undefined);
    const reply = await Promise.race([answered, this.#ended]);
    if ('error' in reply) throw reviveError(reply.error);
    return reply.answer as DecoderAnswers[J['kind']];
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Restores the class of an error, which decides whether the task is retried. */
function reviveError(error: Extract<DecoderReply, { error: unknown }>['error']): Error {
  const { name, message, path, reason, fault = null, code } = error;
  if (name === 'ImageCacheError') return new ImageCacheError(path ?? '', message, { fault });
  if (name === 'ImageDecodeError') return new ImageDecodeError(reason ?? message);
  return Object.assign(new Error(message), {
    ...(code !== undefined && { code }),
    ...(path !== undefined && { path }),
  });
}
