import type { PrismaClient } from '../../prisma/client/client.ts';
import { insertSampleMirror } from './sample-mirror.ts';

const SAMPLE_SWEEP = 's1';
export const SAMPLE_DATASET = 'd0123456789abcdef';
export const SAMPLE_FEATURE_KEY = 'b'.repeat(64);

const START = new Date('2026-03-01T10:00:00.000Z');

function minutesLater(minutes: number): Date {
  return new Date(START.getTime() + minutes * 60_000);
}

interface SampleRun {
  readonly index: number;
  readonly units: number;
  readonly rate: number;
  readonly state: string;
  readonly best: number | null;
  readonly seconds: number | null;
}

/** Runs: a tie between 1 and 2, a failed run that was the best, and one without a result. */
const RUNS: readonly SampleRun[] = [
  { index: 0, units: 64, rate: 0.001, state: 'SUCCEEDED', best: 0.9, seconds: 60 },
  { index: 1, units: 256, rate: 0.001, state: 'SUCCEEDED', best: 0.95, seconds: 90 },
  { index: 2, units: 256, rate: 0.00001, state: 'SUCCEEDED', best: 0.95, seconds: 120 },
  { index: 3, units: 512, rate: 0.1, state: 'FAILED', best: 0.99, seconds: 30 },
  { index: 4, units: 512, rate: 10, state: 'FAILED', best: null, seconds: null },
];

/**
 * Writes one sweep with all kinds of rows: five runs, a task with two attempts, epochs that were trained twice, checkpoints, test
 * results. Every table has a row.
 */
export async function insertSampleRecord(prisma: PrismaClient): Promise<void> {
  await insertSweep(prisma);
  await insertRuns(prisma);
  await insertTasks(prisma);
  await insertMetrics(prisma);
  await insertResults(prisma);
}

async function insertSweep(prisma: PrismaClient): Promise<void> {
  await prisma.trainer.create({
    data: {
      trainerId: 'node-a',
      hostname: 'node-a.example',
      version: '0.1.0',
      engineVersion: '2.21.0',
      state: 'READY',
      slots: {
        create: { slotIndex: 0, deviceKind: 'gpu', deviceName: 'GPU 0', memoryBytes: 80n * 2n ** 30n, threadCount: 4 },
      },
    },
  });
  await prisma.dataset.create({
    data: {
      datasetId: SAMPLE_DATASET,
      digest: '0123456789abcdef'.repeat(4),
      path: '/data/cats-dogs',
      classNames: ['cat', 'dog'],
      classCounts: [{ split: 'test', className: 'cat', imageCount: 2 }],
      problems: [],
      manifestUri: 'manifests/d0123456789abcdef.json',
    },
  });
  await prisma.sweep.create({
    data: {
      sweepId: SAMPLE_SWEEP,
      requestId: 'request-1',
      specDigest: 'f'.repeat(64),
      displayName: 'heads',
      spec: { displayName: 'heads' },
      state: 'SUCCEEDED',
      datasetId: SAMPLE_DATASET,
      objectiveName: 'val_accuracy',
      objectiveGoal: 'maximize',
      testPolicy: 'winner',
      varied: ['head.units', 'optimizer.learning_rate', 'augmentation.flip'],
      weights: [{ backbone: 'efficientnet_lite0', digest: 'a'.repeat(64) }],
      planned: true,
      startTime: START,
      endTime: minutesLater(10),
    },
  });
}

async function insertRuns(prisma: PrismaClient): Promise<void> {
  for (const { index, units, rate, state, best, seconds } of RUNS) {
    await prisma.run.create({
      data: {
        runId: `${SAMPLE_SWEEP}-${index}`,
        sweepId: SAMPLE_SWEEP,
        runIndex: index,
        parametersDigest: String(index).repeat(64),
        parameters: { backbone: 'efficientnet_lite0', 'head.units': units, 'optimizer.learning_rate': rate },
        state,
        stateReason: state === 'FAILED' ? 'the loss is NaN in epoch 2' : '',
        stage: 'HEAD',
        epochCount: 2,
        epochLimit: 2,
        ...(best === null
          ? {}
          : { bestValue: best, bestStage: 'HEAD', bestEpoch: 2, bestValLoss: 1 - best, bestValAccuracy: best }),
        lastValue: best,
        peakMemoryBytes: 3_000_000_000n,
        startTime: seconds === null ? null : START,
        endTime: seconds === null ? null : minutesLater(seconds / 60),
        runParameters: {
          create: [
            { name: 'backbone', stringValue: 'efficientnet_lite0' },
            { name: 'head.units', intValue: BigInt(units) },
            { name: 'optimizer.learning_rate', numberValue: rate },
            { name: 'optimizer.name', stringValue: 'rmsprop' },
            { name: 'optimizer.centered', boolValue: false },
            // A conditional parameter, which only some runs have.
            ...(index === 1 ? [{ name: 'augmentation.flip', stringValue: 'horizontal' }] : []),
          ],
        },
      },
    });
  }
}

async function insertTasks(prisma: PrismaClient): Promise<void> {
  await prisma.featureSet.create({
    data: {
      featureKey: SAMPLE_FEATURE_KEY,
      datasetDigest: '0123456789abcdef'.repeat(4),
      split: 'train',
      backbone: 'efficientnet_lite0',
      weightsDigest: 'a'.repeat(64),
      imageSize: 180,
      pooling: 'avg',
      state: 'COMPUTED',
      uri: 'features/b.safetensors',
      shape: [1280],
      rowCount: 470,
      sha256: 'c'.repeat(64),
      sizeBytes: 2_406_400n,
      computeSeconds: 12.5,
      computedByTaskId: 't-features',
    },
  });
  await prisma.task.create({
    data: { taskId: 't-features', sweepId: SAMPLE_SWEEP, stage: 'FEATURES', state: 'SUCCEEDED', position: 1 },
  });
  await prisma.task.create({
    data: {
      taskId: 't-head',
      sweepId: SAMPLE_SWEEP,
      stage: 'HEAD',
      state: 'SUCCEEDED',
      position: 2,
      leaseEpoch: 2,
      infrastructureCount: 1,
      taskRuns: {
        create: RUNS.map(({ index }) => ({ runId: `${SAMPLE_SWEEP}-${index}`, position: index, state: 'SUCCEEDED' })),
      },
      dependencies: { create: { dependsOnId: 't-features' } },
      featureSets: { create: { featureKey: SAMPLE_FEATURE_KEY } },
      attempts: {
        create: [
          {
            leaseEpoch: 1,
            trainerId: 'node-a',
            slotIndex: 0,
            requestId: 'lease-1',
            state: 'EXPIRED',
            errorClass: 'INFRASTRUCTURE',
            errorCode: 'LEASE_EXPIRED',
            message: 'no heartbeat for 30 s',
            lastSequence: 2n,
            createTime: START,
            endTime: minutesLater(1),
          },
          {
            leaseEpoch: 2,
            trainerId: 'node-a',
            slotIndex: 0,
            requestId: 'lease-2',
            state: 'SUCCEEDED',
            threadCount: 4,
            createTime: minutesLater(2),
            endTime: minutesLater(4),
          },
        ],
      },
    },
  });
}

async function insertMetrics(prisma: PrismaClient): Promise<void> {
  const shared = { taskId: 't-head', stage: 'HEAD' };
  for (const { index, best } of RUNS) {
    const runId = `${SAMPLE_SWEEP}-${index}`;
    const top = best ?? 0.5;
    for (const epoch of [1, 2]) {
      const valAccuracy = top - (2 - epoch) * 0.1;
      const values = {
        loss: index === 4 ? Number.NaN : 1 / epoch,
        accuracy: 0.5 + epoch / 10,
        val_loss: index === 4 ? Number.POSITIVE_INFINITY : 1 - valAccuracy,
        val_accuracy: valAccuracy,
        val_macro_f1: valAccuracy - 0.02,
        val_balanced_accuracy: valAccuracy - 0.01,
        learning_rate: 0.001,
        seconds: 2,
        images_per_second: 235,
      };
      for (const [name, value] of Object.entries(values)) {
        // Epoch 2 was trained by the lost attempt, and again by the attempt that resumed after epoch 1.
        if (epoch === 2) {
          await prisma.epochMetric.create({
            data: { ...shared, runId, epoch, name, value: -1, leaseEpoch: 1, supersededBy: 2 },
          });
        }
        await prisma.epochMetric.create({ data: { ...shared, runId, epoch, name, value, leaseEpoch: epoch } });
      }
    }
  }
}

async function insertResults(prisma: PrismaClient): Promise<void> {
  for (const [index, role] of [
    [1, 'WINNER'],
    [0, 'BASELINE'],
  ] as const) {
    const runId = `${SAMPLE_SWEEP}-${index}`;
    await prisma.checkpoint.create({
      data: {
        checkpointId: `c-${index}`,
        runId,
        taskId: 't-head',
        leaseEpoch: 2,
        stage: 'HEAD',
        epoch: 2,
        kind: 'BEST',
        uri: `checkpoints/${runId}/best.safetensors`,
        sha256: 'd'.repeat(64),
        sizeBytes: 1_311_748n,
        value: RUNS[index]?.best ?? null,
      },
    });
    await prisma.testResult.create({
      data: {
        runId,
        checkpointId: `c-${index}`,
        role,
        accuracy: 0.75,
        accuracyLow: 0.300_64,
        accuracyHigh: 0.954_41,
        loss: 0.4,
        rocAuc: 0.875,
        macroF1: (0.8 + 2 / 3) / 2,
        balancedAccuracy: 0.75,
        imageCount: 4,
        correctCount: 3,
        confusionMatrix: [2, 0, 1, 1],
        classResults: {
          create: [
            { classIndex: 0, className: 'cat', precision: 2 / 3, recall: 1, f1: 0.8, support: 2 },
            { classIndex: 1, className: 'dog', precision: 1, recall: 0.5, f1: 2 / 3, support: 2 },
          ],
        },
        predictions: {
          create: [
            { path: 'test/cat/1.jpg', label: 0, predictedLabel: 0, probabilities: [0.9, 0.1] },
            { path: 'test/cat/2.jpg', label: 0, predictedLabel: 0, probabilities: [0.6, 0.4] },
            { path: 'test/dog/1.jpg', label: 1, predictedLabel: 0, probabilities: [0.98, 0.02] },
            { path: 'test/dog/2.jpg', label: 1, predictedLabel: 1, probabilities: [0.2, 0.8] },
          ],
        },
      },
    });
  }
  await prisma.event.create({
    data: { sweepId: SAMPLE_SWEEP, kind: 'SWEEP_STATE', payload: { state: 'SUCCEEDED', reason: '' } },
  });
  await insertSearch(prisma);
  await insertSampleMirror(prisma, SAMPLE_SWEEP, minutesLater);
  await insertToken(prisma);
  await insertDeletion(prisma);
  const fault = {
    taskId: 't-head',
    trainerId: 'node-a',
    slotIndex: 0,
    code: 'DATA_MISSING',
    message: 'no such folder',
  };
  await prisma.machineFault.create({ data: fault });
  await prisma.cluster.create({ data: { clusterId: '0b5f2d3e-6b0a-4a53-9d0e-3c1f7a2e9b11' } });
  await prisma.leaderLease.create({ data: { name: 'loops', holder: 'node-a', term: 1n, expireTime: START } });
}

/** One run is at the first epoch of its head. */
async function insertSearch(prisma: PrismaClient): Promise<void> {
  const run = { sweepId: SAMPLE_SWEEP, runId: `${SAMPLE_SWEEP}-1`, rung: 0 };
  await prisma.search.create({
    data: { sweepId: SAMPLE_SWEEP, policy: { rule: 'none@1' }, decisionCount: 1n, endReason: 'USER', endTime: START },
  });
  await prisma.rung.create({ data: { sweepId: SAMPLE_SWEEP, rung: 0, stage: 'HEAD', epoch: 1, entryCount: 1 } });
  await prisma.rungEntry.create({
    data: {
      ...run,
      arrival: 1,
      value: 0.95,
      standardError: 0.1,
      epoch: 1,
      taskId: 't-head',
      leaseEpoch: 2,
      correct: Uint8Array.of(0b11),
    },
  });
  await prisma.probe.create({
    data: {
      sweepId: SAMPLE_SWEEP,
      position: 0,
      taskId: 't-head',
      backbone: 'vgg16',
      weights: 'imagenet',
      weightsDigest: 'f'.repeat(64),
      imageSize: 180,
      pooling: 'avg',
      trainImageCount: 200,
      validationImageCount: 100,
      featureSeconds: 12.5,
      isBaseline: true,
    },
  });
  const { runId } = run;
  await prisma.repeatResult.create({
    data: {
      runId,
      stage: 'HEAD',
      epoch: 1,
      value: 0.95,
      taskId: 't-head',
      leaseEpoch: 2,
      correct: Uint8Array.of(0b11),
    },
  });
  await prisma.winner.create({
    data: {
      sweepId: SAMPLE_SWEEP,
      runId,
      rule: 'best',
      bestRunId: runId,
      score: 0.95,
      measurementCount: 1,
      expectedScore: 0.94,
      rivalCount: 2,
      statements: ['On new images val_loss 0.9600 is expected.'],
    },
  });
  await prisma.decision.create({
    data: { ...run, decisionId: 1n, kind: 'CONTINUE', rule: 'none@1', place: 1, reason: 'no rule stops runs' },
  });
  const detail = { origin: 'sobol', why: 'startup', group: 1, groupRuns: 5, groups: 1 };
  await prisma.suggestion.create({
    data: { sweepId: SAMPLE_SWEEP, round: 0, position: 1, runId, sampler: 'sobol', detail },
  });
}

/** Another sweep was deleted; one of its files is still to be removed. */
async function insertDeletion(prisma: PrismaClient): Promise<void> {
  const counts = { runCount: 2, checkpointCount: 1, featureSetCount: 0, manifestCount: 0, sizeBytes: 4096n };
  await prisma.deletedSweep.create({ data: { sweepId: 's-deleted', displayName: 'first try', ...counts } });
  await prisma.fileRemoval.create({ data: { uri: 'checkpoints/s-deleted-r000/head-best.safetensors' } });
}

async function insertToken(prisma: PrismaClient): Promise<void> {
  await prisma.token.create({ data: { tokenId: 't1', tokenHash: 'ab'.repeat(32), name: 'laptop', role: 'SUBMITTER' } });
}
