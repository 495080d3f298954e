import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LeasedTask, TaskError } from '../../services/core/task.ts';
import { errorOfExit } from '../../services/trainer/slots/worker-exit.ts';
import { SweepOnWorker, curve, taskRun } from '../integration/worker/sweep-on-worker.ts';
import { writeTinyImages } from '../integration/worker/tiny-images.ts';
import { WorkerProcess } from '../integration/worker/worker-process.ts';

/** Trains all layers, so that a step keeps the outputs of every layer for every image: about 0.7 GB for 64 images. */
const PARAMETERS = {
  backbone: 'mobilenet_v2',
  weights: 'random',
  image_size: 128,
  batch_size: 64,
  epochs: 0,
  'head.units': 0,
  'head.dropout': 0,
  'fine_tune.enabled': true,
  'fine_tune.allow_untrained_head': true,
  'fine_tune.unfreeze': 'all',
  'fine_tune.epochs': 1,
};

describe('a worker with too little address space (RLIMIT_AS)', { timeout: 180_000 }, () => {
  let root: string;
  let sweep: SweepOnWorker;
  let task: LeasedTask;

  const startWorker = (): WorkerProcess =>
    new WorkerProcess({ artifactsDir: join(root, 'artifacts'), cacheDir: join(root, 'cache'), pipesErrors: true });

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'graft-memory-'));
    writeTinyImages(join(root, 'data'), { counts: { train: 32, validation: 2, test: 2 }, size: 128 });
    sweep = new SweepOnWorker(join(root, 'data'), 'mobilenet_v2', 'random');
    await using worker = startWorker();
    await sweep.index(worker);
    task = sweep.task('FINE_TUNE', { runs: [taskRun('r', PARAMETERS)] });
  }, 60_000);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  /** Runs the task with a number of micro-batches, under a new lease. */
  let leaseEpoch = 0;
  const inParts = (microBatchDivisor: number): LeasedTask => {
    leaseEpoch += 1;
    return { ...task, microBatchDivisor, leaseEpoch };
  };

  /** Trains in a new worker. @returns by how much its address space grew, and the values of its epoch */
  const trainFreely = async (
    microBatchDivisor: number,
  ): Promise<{ readonly growth: number; readonly epoch: unknown }> => {
    await using worker = startWorker();
    await worker.ready();
    const before = peakAddressSpace(worker);
    await worker.complete(inParts(microBatchDivisor), 'TRAIN');
    return { growth: peakAddressSpace(worker) - before, epoch: curve(worker.events, 'r', 'FINE_TUNE')[0] };
  };

  /** Starts a worker whose address space may grow so much. What it has at the start differs by some 0.3 GB from worker to worker. */
  const startLimited = async (growth: number): Promise<WorkerProcess> => {
    const worker = startWorker();
    await worker.ready();
    const limit = Math.round(peakAddressSpace(worker) + growth);
    execFileSync('prlimit', ['--pid', String(worker.child.pid), `--as=${limit}`]);
    return worker;
  };

  it('fails with MEMORY, and trains the same in 8 micro-batches', async () => {
    const parts = await trainFreely(8);
    const whole = await trainFreely(1);
    expect(whole.growth).toBeGreaterThan(parts.growth + 500e6);
    const growth = (parts.growth + whole.growth) / 2;

    await using limited = await startLimited(growth);
    expect(await failureOf(limited, inParts(1))).toMatchObject({ errorClass: 'MEMORY', code: 'OUT_OF_MEMORY' });

    await using again = await startLimited(growth);
    await again.complete(inParts(8), 'TRAIN');
    expect(curve(again.events, 'r', 'FINE_TUNE')).toEqual([parts.epoch]);
  });
});

/** Returns the error as the supervisor classifies it: reported by the worker, or from its exit and last output. */
async function failureOf(worker: WorkerProcess, task: LeasedTask): Promise<TaskError> {
  let lastOutput = '';
  worker.child.stderr?.on('data', (chunk: Buffer) => (lastOutput += chunk.toString('utf8')));
  const ended = new Promise<TaskError>((resolve) =>
    // As in the supervisor: at 'exit' the last output may not have been read.
    worker.child.once('close', (code, signal) =>
      resolve(
        errorOfExit(
          {
            code,
            signal,
            peakMemoryBytes: 0,
            memoryLimitBytes: 0,
            outOfMemoryKills: 0,
            lastOutput,
          },
          'fine-tuning',
        ),
      ),
    ),
  );
  const said = worker.run(task).then((end) => {
    if (end.type !== 'failed') throw new Error(`The task ${end.type} with too little memory.`);
    return end.error;
  });
  said.catch(() => undefined);
  return Promise.race([said, ended]);
}

function peakAddressSpace({ child }: WorkerProcess): number {
  const line = readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8').match(/^VmPeak:\s+(\d+) kB$/m);
  return Number(line?.[1]) * 1024;
}
