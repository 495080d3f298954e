import type { PrismaClient } from '../../../prisma/client/client.ts';
import type { MetricBatch } from '../../../services/coordinator/store/metrics/metric-batch.ts';

/** Metrics of a training epoch. */
export const NAMES = ['loss', 'accuracy', 'val_loss', 'val_accuracy', 'learning_rate', 'seconds', 'images_per_second'];

/** Amount of reported metrics, number of trainers and size of batches. */
export interface Load {
  /** Number of trainers, each with one task and one stream. */
  readonly trainers: number;
  /** Number of runs in a fused group. */
  readonly runsPerTask: number;
  /** Epochs of all runs in one batch: cached heads take some 10 ms per epoch, and a trainer sends every 100 ms. */
  readonly epochsPerBatch: number;
  readonly batchesPerTask: number;
}

/** Maximum number of unacknowledged batches of a trainer; the coordinator reads as many ahead. */
export const WINDOW = 16;

export const pointsOfBatch = (load: Load): number => load.runsPerTask * load.epochsPerBatch * NAMES.length;
export const pointsOf = (load: Load): number => load.trainers * load.batchesPerTask * pointsOfBatch(load);

export function taskIdOf(side: string, trainer: number): string {
  return `bench${side}-t${trainer}`;
}

function runIdOf(side: string, trainer: number, run: number): string {
  return `bench${side}-r${String(trainer).padStart(2, '0')}${String(run).padStart(2, '0')}`;
}

/** Returns a batch of a trainer; the numbers are generated, and as long as real ones. */
export function batchOf(side: string, load: Load, trainer: number, sequence: number): MetricBatch {
  const epochs = [];
  for (let offset = 0; offset < load.epochsPerBatch; offset += 1) {
    const epoch = (sequence - 1) * load.epochsPerBatch + offset + 1;
    for (let run = 0; run < load.runsPerTask; run += 1) {
      const loss = 0.2 + Math.sin(trainer + run / 7) ** 2 / (epoch + 1);
      const values = [loss, 1 - loss / 2, loss + 0.05, 1 - loss / 3, 0.001, 0.01 + loss / 1e3, 47_000 * (1 - loss / 9)];
      epochs.push({ runId: runIdOf(side, trainer, run), stage: 'HEAD' as const, epoch, names: NAMES, values });
    }
  }
  // Leases from before secrets existed, which carry no others.
  return { taskId: taskIdOf(side, trainer), leaseEpoch: 1, trainerId: '', secretHash: '', sequence, epochs, rungs: [] };
}

/** Inserts a sweep whose trainers have just leased their tasks. */
export async function insertWork(prisma: PrismaClient, side: string, load: Load): Promise<void> {
  const sweepId = `bench${side}`;
  await prisma.sweep.create({
    data: {
      sweepId,
      specDigest: 'f'.repeat(64),
      displayName: sweepId,
      spec: {},
      state: 'ACTIVE',
      objectiveName: 'val_loss',
      objectiveGoal: 'minimize',
      testPolicy: 'winner',
      planned: true,
    },
  });
  for (let trainer = 0; trainer < load.trainers; trainer += 1) {
    const taskId = taskIdOf(side, trainer);
    const runIds = Array.from({ length: load.runsPerTask }, (_, run) => runIdOf(side, trainer, run));
    await prisma.run.createMany({
      data: runIds.map((runId, run) => ({
        runId,
        sweepId,
        runIndex: trainer * load.runsPerTask + run,
        parametersDigest: runId,
        parameters: {},
        state: 'RUNNING',
        stage: 'HEAD',
      })),
    });
    await prisma.task.create({
      data: {
        taskId,
        sweepId,
        stage: 'HEAD',
        state: 'LEASED',
        position: trainer,
        leaseEpoch: 1,
        trainerId: `${sweepId}-${trainer}`,
        slotIndex: 0,
        leaseExpireTime: new Date(Date.now() + 3_600_000),
        taskRuns: { create: runIds.map((runId, position) => ({ runId, position })) },
        attempts: {
          create: {
            leaseEpoch: 1,
            trainerId: `${sweepId}-${trainer}`,
            slotIndex: 0,
            requestId: taskId,
            state: 'LEASED',
          },
        },
      },
    });
  }
}
