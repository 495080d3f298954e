import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { threadCount } from '../engine/engine.ts';
import { nodeProgram } from '../../platform/lifecycle/node-program.ts';
import { ImageDecodeError } from './decode-image.ts';
import { doJob } from './image-jobs.ts';
import type { DecoderAnswers, DecoderJob } from './image-jobs.ts';
import { ImageCacheError } from './image-cache-error.ts';
import type { ImageFault } from './image-cache-error.ts';

/** Images of one job: about 50 ms, so that the process that decodes itself can answer its supervisor in between. */
const JOB_IMAGES = 32;

/** Loading TensorFlow takes a process about as long as decoding so many images. */
const IMAGES_PER_PROCESS = 1_000;
/** Each holds about 250 MB. */
const MOST_PROCESSES = 8;

/** How a process answers. */
export type DecoderReply =
  | { readonly answer: DecoderAnswers[DecoderJob['kind']] }
  | {
      readonly error: {
        readonly name: string;
        readonly message: string;
        readonly path?: string;
        readonly reason?: string;
        readonly fault?: ImageFault | null;
        /** Of the kernel. */
        readonly code?: string;
      };
    };

/** For so many images: as many processes as the slot has threads, and one, which is this process, for few. */
export function decoderCountFor(imageCount: number): number {
  return Math.max(1, Math.min(threadCount, MOST_PROCESSES, Math.floor(imageCount / IMAGES_PER_PROCESS)));
}

/** Cuts a long piece of work into jobs; `first` is the place of a share's first item among all. */
export function jobsOf<T, J>(items: readonly T[], jobOf: (share: readonly T[], first: number) => J): readonly J[] {
  return Array.from({ length: Math.ceil(items.length / JOB_IMAGES) }, (_, index) => {
    const first = index * JOB_IMAGES;
    return jobOf(items.slice(first, first + JOB_IMAGES), first);
  });
}

/**
 * Does jobs in several processes, because the TensorFlow binding isn't safe in several threads of one; with a count of 1 in this
 * process. Answers come in any order.
 *
 * @param signal no job begins after it was aborted
 * @throws what the first job that fails throws; the others are given up.
 */
export async function runDecoders<J extends DecoderJob>(
  jobs: readonly J[],
  decoderCount: number,
  onAnswer: (job: J, answer: DecoderAnswers[J['kind']]) => void,
  signal?: AbortSignal,
): Promise<void> {
  const decoders = decoderCount > 1 ? Array.from({ length: decoderCount }, () => new DecoderProcess()) : [];
  const waiting = jobs.values();
  const work = async (run: (job: J) => Promise<DecoderAnswers[J['kind']]>): Promise<void> => {
    // The iterator is shared: each takes the next one when it is free.
    for (const job of waiting) {
      signal?.throwIfAborted();
      onAnswer(job, await run(job));
    }
  };
  try {
    if (decoders.length === 0) await work(doJob);
    else await Promise.all(decoders.map((decoder) => work((job) => decoder.run(job))));
  } finally {
    for (const decoder of decoders) decoder.end();
  }
}

/** `decoder-process.ts`, which does one job after the other. */
class DecoderProcess {
  readonly #child: ChildProcess;
  /** Rejects when it ends, whoever ended it. */
  readonly #ended: Promise<never>;

  constructor() {
    const { script, execArgv } = nodeProgram('trainer/data/decoder-process');
    this.#child = fork(script, [], {
      execArgv: [...execArgv],
      // The device is the worker's.
      env: { ...process.env, GRAFT_SLOT_THREADS: '1', CUDA_VISIBLE_DEVICES: '' },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#ended = new Promise((_, reject) => {
      this.#child.once('error', reject).once('exit', (code, signal) => {
        const how = signal ?? `exit code ${code ?? 'unknown'}`;
        reject(new Error(`A process that decodes images ended with ${how}.`));
      });
    });
    this.#ended.catch(() => undefined);
  }

  async run<J extends DecoderJob>(job: J): Promise<DecoderAnswers[J['kind']]> {
    const answered = new Promise<DecoderReply>((resolve) => {
      this.#child.once('message', (message) => resolve(message as DecoderReply));
    });
    // Where it can't be sent, the process has ended.
    this.#child.send(job, () => undefined);
    const reply = await Promise.race([answered, this.#ended]);
    if ('error' in reply) throw reviveError(reply.error);
    return reply.answer as DecoderAnswers[J['kind']];
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

/** The classes decide whether a task is tried again. */
function reviveError(error: Extract<DecoderReply, { error: unknown }>['error']): Error {
  const { name, message, path, reason, fault = null, code } = error;
  if (name === 'ImageCacheError') return new ImageCacheError(path ?? '', message, { fault });
  if (name === 'ImageDecodeError') return new ImageDecodeError(reason ?? message);
  return Object.assign(new Error(message), {
    ...(code !== undefined && { code }),
    ...(path !== undefined && { path }),
  });
}
