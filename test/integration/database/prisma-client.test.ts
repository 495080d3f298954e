import { PrismaPg } from '@prisma/adapter-pg';
import type { Pool } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Prisma, PrismaClient } from '../../../prisma/client/client.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { insertSampleRecord } from '../../support/sample-record.ts';

let database: TestDatabase;
let pool: Pool;
let prisma: PrismaClient;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { applicationName: 'test', log: createLogger('test', 'silent'), max: 4 });
  prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  await insertSampleRecord(prisma);
});

afterAll(async () => {
  await prisma.$disconnect();
  await pool.end();
  await database.drop();
});

test('Prisma Client writes and reads every model', async () => {
  const counts: Record<string, number> = {};
  for (const model of Object.values(Prisma.ModelName)) {
    const delegate = prisma[(model[0]!.toLowerCase() + model.slice(1)) as 'run'];
    const rows: unknown[] = await delegate.findMany();
    counts[model] = rows.length;
  }
  expect(counts).toEqual({
    Dataset: 1,
    Sweep: 1,
    Run: 5,
    RunParameter: 26,
    Task: 2,
    TaskRun: 5,
    TaskDependency: 1,
    FeatureSet: 1,
    TaskFeatureSet: 1,
    Attempt: 2,
    EpochMetric: 135,
    Checkpoint: 2,
    TestResult: 2,
    TestClassResult: 4,
    TestPrediction: 8,
    Event: 1,
    Trainer: 1,
    Slot: 1,
    OutboxEntry: 1,
    MlflowRun: 1,
    MlflowServer: 1,
    Token: 1,
    LeaderLease: 1,
    Cluster: 1,
    MachineFault: 1,
    Search: 1,
    Rung: 1,
    RungEntry: 1,
    RepeatResult: 1,
    Probe: 1,
    Winner: 1,
    Decision: 1,
    Suggestion: 1,
    DeletedSweep: 1,
    FileRemoval: 1,
  });
});

test('values come back as they went in: lists, large numbers, JSON, times to the millisecond, NaN and infinities', async () => {
  const dataset = await prisma.dataset.findFirstOrThrow();
  expect(dataset.classNames).toEqual(['cat', 'dog']);
  expect(dataset.classCounts).toEqual([{ split: 'test', className: 'cat', imageCount: 2 }]);
  const run = await prisma.run.findUniqueOrThrow({ where: { runId: 's1-2' }, include: { runParameters: true } });
  expect(run.peakMemoryBytes).toBe(3_000_000_000n);
  expect(run.endTime).toEqual(new Date('2026-03-01T10:02:00.000Z'));
  expect(run.runParameters.find(({ name }) => name === 'optimizer.learning_rate')?.numberValue).toBe(0.00001);
  expect((await prisma.featureSet.findFirstOrThrow()).shape).toEqual([1280]);
  expect((await prisma.testPrediction.findFirstOrThrow()).probabilities).toEqual([0.9, 0.1]);
  const where = { runId: 's1-4', epoch: 2, supersededBy: null };
  const metrics = await prisma.epochMetric.findMany({ where });
  expect(metrics.find(({ name }) => name === 'loss')?.value).toBeNaN();
  expect(metrics.find(({ name }) => name === 'val_loss')?.value).toBe(Number.POSITIVE_INFINITY);
});

test('lists with a default may be left out', async () => {
  const data = {
    featureKey: 'planned',
    datasetDigest: '',
    split: 'test',
    backbone: 'vgg16',
    weightsDigest: '',
    imageSize: 64,
    pooling: 'none',
  };
  expect(await prisma.featureSet.create({ data })).toMatchObject({ shape: [], state: 'PLANNED' });
  await prisma.featureSet.delete({ where: { featureKey: 'planned' } });
});
