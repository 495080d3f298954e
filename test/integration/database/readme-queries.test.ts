import { readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PrismaClient } from '../../../prisma/client/client.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { insertSampleRecord } from '../../support/sample-record.ts';

const README = readFileSync(new URL('../../../prisma/README.md', import.meta.url), 'utf8');
const QUERIES = [...README.matchAll(/^```sql\n(.*?)^```$/gms)].map(([, query = '']) => query);

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  const prisma = new PrismaClient({ adapter: new PrismaPg(database.url) });
  await insertSampleRecord(prisma);
  await prisma.$disconnect();
});

afterAll(() => database.drop());

const EXPECTED: readonly (readonly [question: string, firstRow: Record<string, unknown>, rowCount: number])[] = [
  [
    'the leaderboard',
    {
      rank: 1,
      run_index: 1,
      parameters: 'head.units=256 optimizer.learning_rate=0.001 augmentation.flip=horizontal',
      best_epoch: 2,
      best_value: '0.9500',
      test_accuracy: '0.7500',
      low: '0.3006',
      high: '0.9544',
    },
    5,
  ],
  [
    'learning curves',
    { rank: 1, stage: 'HEAD', epoch: 1, loss: 1, val_loss: 1 - (0.95 - 0.1), accuracy: 0.6, val_accuracy: 0.95 - 0.1 },
    6,
  ],
  ['values of a parameter', { head_units: '256', runs: '2', mean_best: '0.9500', best: '0.9500' }, 2],
  ['sure and wrong', { path: 'test/dog/1.jpg', is: 'dog', called: 'cat', probability: '0.980' }, 1],
  [
    'tried and lost',
    {
      task_id: 't-head',
      stage: 'HEAD',
      lease_epoch: 1,
      trainer_id: 'node-a',
      slot_index: 0,
      state: 'EXPIRED',
      error_code: 'LEASE_EXPIRED',
      message: 'no heartbeat for 30 s',
      lost_epochs: '5',
    },
    1,
  ],
];

test('the README asks as many questions as are tested here', () => {
  expect(QUERIES).toHaveLength(EXPECTED.length);
});

test.each(EXPECTED.map((expected, index) => [...expected, index] as const))(
  '%s',
  async (_question, firstRow, rowCount, index) => {
    const [rows] = await runOn(database.url, [QUERIES[index] ?? '']);
    expect(rows?.[0]).toEqual(firstRow);
    expect(rows).toHaveLength(rowCount);
  },
);

test('the README has every table and view', async () => {
  const [rows] = await runOn(database.url, [
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
        AND relname <> '_prisma_migrations' ORDER BY 1`,
  ]);
  expect((rows ?? []).filter(({ name }) => !README.includes(`\`${String(name)}\``))).toEqual([]);
});
