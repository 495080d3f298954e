import { doJob } from './image-jobs.ts';
import { ImageCacheError } from './image-cache-error.ts';
import type { DecoderJob } from './image-jobs.ts';
import type { DecoderReply } from './decoder-pool.ts';

/**
 * Entry point of a decoder process (`decoder-pool.ts`): executes the jobs that arrive over IPC and exits with its
 * parent.
 */
process.on('disconnect', () => process.exit(0));
// Terminals send Ctrl-C to the whole process group; the supervisor decides what happens to the task.
process.on('SIGINT', () => undefined);
// A quota on file sizes must fail the write (EFBIG), not end the process.
process.on('SIGXFSZ', () => undefined);
process.on('message', (job) => {
  void replyTo(job as DecoderJob).then((reply) => process.send?.(reply));
});

async function replyTo(job: DecoderJob): Promise<DecoderReply> {
  try {
    return { answer: await doJob(job) };
  } catch (error) {
    if (!(error instanceof Error)) return { error: { name: 'Error', message: String(error) } };
    const { name, message } = error;
    const path = 'path' in error ? String(error.path) : undefined;
    const reason = 'reason' in error ? String(error.reason) : undefined;
    const fault = error instanceof ImageCacheError ? error.fault : null;
    const code = 'code' in error ? String(error.code) : undefined;
    return {
      error: {
        name,
        message,
        fault,
        ...(path === undefined ? {} : { path }),
        ...(reason === undefined ? {} : { reason }),
        ...(code === undefined ? {} : { code }),
      },
    };
  }
}
