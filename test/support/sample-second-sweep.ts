import type { PrismaClient } from '../../prisma/client/client.ts';
import { SAMPLE_DATASET, SAMPLE_FEATURE_KEY } from './sample-record.ts';

const SECOND_SWEEP = 's2';

const START = new Date('2026-03-02T10:00:00.000Z');
const OWN_FEATURE_KEY = 'e'.repeat(64);

function secondsLater(seconds: number): Date {
  return new Date(START.getTime() + seconds * 1000);
}

interface SampleRun {
  readonly index: number;
  readonly backbone: string;
  readonly isFineTuned: boolean;
  readonly state: string;
  /** Validation losses by epoch. */
  readonly head: readonly number[];
  readonly fineTune: readonly number[];
  readonly best: { readonly value: number; readonly stage: string; readonly epoch: number };
}

/** Runs: one overfits from epoch 3, one is best in its last epoch, one was stopped early, one failed and was the best. */
const RUNS: readonly SampleRun[] = [
  {
    index: 0,
    backbone: 'efficientnet_lite0',
    isFineTuned: false,
    state: 'SUCCEEDED',
    head: [0.5, 0.4, 0.45, 0.46, 0.47, 0.48],
    fineTune: [],
    best: { value: 0.4, stage: 'HEAD', epoch: 2 },
  },
  {
    index: 1,
    backbone: 'vgg16',
    isFineTuned: true,
    state: 'SUCCEEDED',
    head: [0.6, 0.45, 0.35],
    fineTune: [0.3, 0.25],
    best: { value: 0.25, stage: 'FINE_TUNE', epoch: 2 },
  },
  {
    index: 2,
    backbone: 'vgg16',
    isFineTuned: false,
    state: 'SUCCEEDED',
    head: [0.55, 0.42, 0.43, 0.44],
    fineTune: [],
    best: { value: 0.42, stage: 'HEAD', epoch: 2 },
  },
  {
    index: 3,
    backbone: 'vgg16',
    isFineTuned: false,
    state: 'FAILED',
    head: [0.1],
    fineTune: [],
    best: { value: 0.1, stage: 'HEAD', epoch: 1 },
  },
];

/**
 * Writes a second sweep besides that of `insertSampleRecord`. It minimizes, compares two backbones, reads a feature set of the first
 * sweep, fine-tunes one run in three attempts, and used a slot that its trainer no longer has.
 */
export async function insertSecondSweep(prisma: PrismaClient): Promise<void> {
  await insertSweep(prisma);
  await insertRuns(prisma);
  await insertTasks(prisma);
  await insertMetrics(prisma);
  await insertCheckpoints(prisma);
}

async function insertSweep(prisma: PrismaClient): Promise<void> {
  await prisma.trainer.create({
    data: {
      trainerId: 'node-b',
      hostname: 'node-b.example',
      version: '0.1.0',
      engineVersion: '2.21.0',
      state: 'LOST',
      slots: {
        create: [
          { slotIndex: 0, deviceKind: 'gpu', deviceName: 'GPU 0', memoryBytes: 80n * 2n ** 30n, threadCount: 4 },
          { slotIndex: 2, deviceKind: 'gpu', deviceName: 'GPU 2', memoryBytes: 80n * 2n ** 30n, threadCount: 4 },
        ],
      },
    },
  });
  await prisma.sweep.create({
    data: {
      sweepId: SECOND_SWEEP,
      specDigest: '9'.repeat(64),
      displayName: 'backbones',
      spec: { displayName: 'backbones' },
      state: 'SUCCEEDED',
      datasetId: SAMPLE_DATASET,
      objectiveName: 'val_loss',
      objectiveGoal: 'minimize',
      testPolicy: 'winner',
      varied: ['backbone', 'fine_tune.enabled'],
      weights: [
        { backbone: 'efficientnet_lite0', weights: 'imagenet', digest: 'a'.repeat(64) },
        { backbone: 'vgg16', weights: 'imagenet', digest: '7'.repeat(64) },
      ],
      planned: true,
      createTime: START,
      startTime: START,
      endTime: secondsLater(600),
    },
  });
}

async function insertRuns(prisma: PrismaClient): Promise<void> {
  for (const { index, backbone, isFineTuned, state, head, fineTune, best } of RUNS) {
    const isStopped = index === 2;
    await prisma.run.create({
      data: {
        runId: `${SECOND_SWEEP}-${index}`,
        sweepId: SECOND_SWEEP,
        runIndex: index,
        parametersDigest: String(index).repeat(64),
        parameters: { backbone, weights: 'imagenet', 'fine_tune.enabled': isFineTuned },
        state,
        stage: isFineTuned ? 'FINE_TUNE' : 'HEAD',
        epochCount: isFineTuned ? fineTune.length : head.length,
        epochLimit: isStopped ? 10 : isFineTuned ? fineTune.length : head.length,
        bestValue: best.value,
        bestStage: best.stage,
        bestEpoch: best.epoch,
        bestValLoss: best.value,
        bestValAccuracy: 1 - best.value,
        lastValue: (isFineTuned ? fineTune : head).at(-1) ?? null,
        startTime: secondsLater(60),
        endTime: secondsLater(500),
        runParameters: {
          create: [
            { name: 'backbone', stringValue: backbone },
            { name: 'fine_tune.enabled', boolValue: isFineTuned },
            { name: 'head.units', intValue: 256n },
            { name: 'early_stopping.patience', intValue: isStopped ? 2n : 0n },
          ],
        },
      },
    });
  }
}

interface SampleTask {
  readonly taskId: string;
  readonly stage: string;
  readonly runs: readonly { readonly index: number; readonly state: string; readonly source?: string }[];
  readonly featureKey: string | null;
  /** Begin and end in seconds since the start of the sweep. */
  readonly attempts: readonly {
    readonly slot: readonly [trainerId: string, slotIndex: number];
    readonly state: string;
    readonly from: number;
    readonly to: number;
    readonly error?: { readonly errorClass: string; readonly errorCode: string; readonly message: string };
  }[];
}

const TASKS: readonly SampleTask[] = [
  {
    taskId: 't2-features',
    stage: 'FEATURES',
    runs: [],
    featureKey: OWN_FEATURE_KEY,
    attempts: [{ slot: ['node-b', 1], state: 'SUCCEEDED', from: 0, to: 60 }],
  },
  {
    taskId: 't2-head-a',
    stage: 'HEAD',
    runs: [{ index: 0, state: 'SUCCEEDED' }],
    featureKey: SAMPLE_FEATURE_KEY,
    attempts: [{ slot: ['node-b', 0], state: 'SUCCEEDED', from: 60, to: 90 }],
  },
  {
    taskId: 't2-head-b',
    stage: 'HEAD',
    runs: [
      { index: 1, state: 'SUCCEEDED' },
      { index: 2, state: 'EARLY_STOPPED' },
      { index: 3, state: 'FAILED' },
    ],
    featureKey: OWN_FEATURE_KEY,
    attempts: [{ slot: ['node-a', 0], state: 'SUCCEEDED', from: 60, to: 150 }],
  },
  {
    taskId: 't2-tune',
    stage: 'FINE_TUNE',
    runs: [{ index: 1, state: 'SUCCEEDED', source: 'c2-head' }],
    featureKey: null,
    attempts: [
      {
        slot: ['node-b', 0],
        state: 'FAILED',
        from: 190,
        to: 290,
        error: { errorClass: 'COUNTED', errorCode: 'WORKER_CRASHED', message: 'the worker ended with signal 11' },
      },
      { slot: ['node-b', 0], state: 'RELEASED', from: 300, to: 320 },
      { slot: ['node-a', 0], state: 'SUCCEEDED', from: 320, to: 380 },
    ],
  },
  {
    taskId: 't2-evaluate',
    stage: 'EVALUATE',
    runs: [
      { index: 1, state: 'SUCCEEDED', source: 'c2-tune' },
      { index: 0, state: 'SUCCEEDED', source: 'c2-baseline' },
    ],
    featureKey: null,
    attempts: [{ slot: ['node-a', 0], state: 'SUCCEEDED', from: 450, to: 460 }],
  },
];

async function insertTasks(prisma: PrismaClient): Promise<void> {
  await prisma.featureSet.create({
    data: {
      featureKey: OWN_FEATURE_KEY,
      datasetDigest: '0123456789abcdef'.repeat(4),
      split: 'train',
      backbone: 'vgg16',
      weightsDigest: '7'.repeat(64),
      imageSize: 180,
      pooling: 'avg',
      state: 'COMPUTED',
      uri: 'features/e.safetensors',
      shape: [512],
      rowCount: 470,
      sha256: '6'.repeat(64),
      sizeBytes: 962_560n,
      computeSeconds: 58,
      computedByTaskId: 't2-features',
    },
  });
  for (const [position, { taskId, stage, runs, featureKey, attempts }] of TASKS.entries()) {
    await prisma.task.create({
      data: {
        taskId,
        sweepId: SECOND_SWEEP,
        stage,
        state: 'SUCCEEDED',
        position: position + 1,
        leaseEpoch: attempts.length,
        taskRuns: {
          create: runs.map(({ index, state, source }, place) => ({
            runId: `${SECOND_SWEEP}-${index}`,
            position: place,
            state,
            sourceCheckpointId: source ?? null,
          })),
        },
        ...(featureKey === null ? {} : { featureSets: { create: { featureKey } } }),
        attempts: {
          create: attempts.map(({ slot: [trainerId, slotIndex], state, from, to, error }, place) => ({
            leaseEpoch: place + 1,
            trainerId,
            slotIndex,
            requestId: `${taskId}-${place + 1}`,
            state,
            ...error,
            createTime: secondsLater(from),
            endTime: secondsLater(to),
          })),
        },
      },
    });
  }
}

interface Measured {
  readonly runId: string;
  readonly stage: string;
  readonly taskId: string;
  readonly epoch: number;
  readonly leaseEpoch: number;
  readonly supersededBy: number | null;
}

function metricsOf(key: Measured, valLoss: number, seconds: number): (Measured & { name: string; value: number })[] {
  const values = {
    loss: valLoss / 2,
    accuracy: 0.9,
    val_loss: valLoss,
    val_accuracy: 1 - valLoss,
    learning_rate: 0.001,
    seconds,
    images_per_second: 470 / seconds,
  };
  return Object.entries(values).map(([name, value]) => ({ ...key, name, value }));
}

async function insertMetrics(prisma: PrismaClient): Promise<void> {
  const rows = RUNS.flatMap(({ index, head, fineTune }) => {
    const runId = `${SECOND_SWEEP}-${index}`;
    const ofHead = { runId, stage: 'HEAD', taskId: index === 0 ? 't2-head-a' : 't2-head-b', supersededBy: null };
    const ofTune = { runId, stage: 'FINE_TUNE', taskId: 't2-tune', supersededBy: null };
    return [
      ...head.flatMap((loss, at) => metricsOf({ ...ofHead, epoch: at + 1, leaseEpoch: 1 }, loss, 5)),
      ...fineTune.flatMap((loss, at) =>
        metricsOf({ ...ofTune, epoch: at + 1, leaseEpoch: at === 0 ? 1 : 3 }, loss, 20),
      ),
    ];
  });
  // The attempt that crashed had trained epoch 2 without saving it.
  const lost = { runId: `${SECOND_SWEEP}-1`, stage: 'FINE_TUNE', taskId: 't2-tune', epoch: 2, leaseEpoch: 1 };
  await prisma.epochMetric.createMany({ data: [...rows, ...metricsOf({ ...lost, supersededBy: 3 }, 0.26, 25)] });
}

async function insertCheckpoints(prisma: PrismaClient): Promise<void> {
  const make = (
    checkpointId: string,
    runIndex: number,
    taskId: string,
    leaseEpoch: number,
    place: { stage: string; epoch: number; kind: string; value: number; state?: string },
  ) => ({
    checkpointId,
    runId: `${SECOND_SWEEP}-${runIndex}`,
    taskId,
    leaseEpoch,
    uri: `checkpoints/${checkpointId}.safetensors`,
    sha256: '5'.repeat(64),
    sizeBytes: 1_000_000n,
    createTime: START,
    ...place,
  });
  await prisma.checkpoint.createMany({
    data: [
      make('c2-baseline', 0, 't2-head-a', 1, { stage: 'HEAD', epoch: 2, kind: 'BEST', value: 0.4 }),
      make('c2-head', 1, 't2-head-b', 1, { stage: 'HEAD', epoch: 3, kind: 'BEST', value: 0.35 }),
      make('c2-last', 1, 't2-tune', 1, { stage: 'FINE_TUNE', epoch: 1, kind: 'LAST', value: 0.3, state: 'DELETED' }),
      make('c2-tune', 1, 't2-tune', 3, { stage: 'FINE_TUNE', epoch: 2, kind: 'BEST', value: 0.25 }),
    ],
  });
  for (const [index, role, checkpointId, accuracy] of [
    [1, 'WINNER', 'c2-tune', 0.9],
    [0, 'BASELINE', 'c2-baseline', 0.8],
  ] as const) {
    await prisma.testResult.create({
      data: {
        runId: `${SECOND_SWEEP}-${index}`,
        checkpointId,
        role,
        accuracy,
        accuracyLow: accuracy - 0.1,
        accuracyHigh: accuracy + 0.05,
        loss: 0.3,
        imageCount: 10,
        correctCount: accuracy * 10,
        confusionMatrix: [5, 0, 10 - accuracy * 10, accuracy * 10 - 5],
      },
    });
  }
}
