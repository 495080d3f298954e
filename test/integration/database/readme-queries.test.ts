import { readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PrismaClient } from '../../../prisma/client/client.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { whyNoReader } from '../../support/reader-role.ts';
import { readmeQueries } from '../../support/readme-queries.ts';
import { insertSampleRecord } from '../../support/sample-record.ts';
import { insertSecondSweep } from '../../support/sample-second-sweep.ts';

const README = readFileSync(new URL('../../../prisma/README.md', import.meta.url), 'utf8');

let database: TestDatabase;
/** A connection that may do what `graft_reader` may. */
let reader: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  const prisma = new PrismaClient({
    adapter: new PrismaPg({ connectionString: database.url, options: '-c timezone=UTC' }),
  });
  await insertSampleRecord(prisma);
  await insertSecondSweep(prisma);
  await prisma.$disconnect();
  // Costs of the models: of the runs of the sample, number 0 is the smallest, and 1 and 2 are equal.
  await runOn(database.url, [
    `UPDATE runs SET model_bytes = 4000000 + 1000000 * least(run_index, 1), parameter_count = 1000000 + 250000 * least(run_index, 1),
            flops = 300000000 + 500000 * least(run_index, 1) WHERE sweep_id = 's1'`,
  ]);
  reader = new pg.Client({ connectionString: database.url });
  await reader.connect();
  if ((await whyNoReader(database.url)) === null) await reader.query('SET ROLE graft_reader');
});

afterAll(async () => {
  await reader.end();
  await database.drop();
});

/**
 * All rows that each question must give, in order, from what test/support/sample-*.ts write: attempts with their seconds, losses
 * with their epochs. Where floating-point numbers are involved, the same arithmetic is done here.
 */
const EXPECTED: Readonly<Record<string, readonly Record<string, unknown>[]>> = {
  'Results that accuracy hides': [
    { rank: 1, run_index: 1, parameters: 'head.units=256 optimizer.learning_rate=0.001 augmentation.flip=horizontal' },
    { rank: 3, run_index: 0, parameters: 'head.units=64 optimizer.learning_rate=0.001' },
  ].map((row) => ({
    ...row,
    test_accuracy: 0.75,
    test_macro_f1: (0.8 + 2 / 3) / 2,
    test_balanced_accuracy: 0.75,
    test_roc_auc: 0.875,
    never_found_classes: null,
  })),
  'The leaderboard': [
    [
      1,
      1,
      'head.units=256 optimizer.learning_rate=0.001 augmentation.flip=horizontal',
      2,
      '0.9500',
      '0.7500',
      '0.3006',
      '0.9544',
    ],
    [2, 2, 'head.units=256 optimizer.learning_rate=1e-05', 2, '0.9500', null, null, null],
    [3, 0, 'head.units=64 optimizer.learning_rate=0.001', 2, '0.9000', '0.7500', '0.3006', '0.9544'],
    [4, 3, 'head.units=512 optimizer.learning_rate=0.1', 2, '0.9900', null, null, null],
    [5, 4, 'head.units=512 optimizer.learning_rate=10', null, null, null, null, null],
  ].map(([rank, run_index, parameters, best_epoch, best_value, test_accuracy, low, high]) => ({
    ...{ rank, run_index, parameters, best_epoch, best_value, test_accuracy, low, high },
  })),
  // Run 2 equals run 1 and comes after it.
  'The runs that no smaller one equals': [
    [1, 0, '0.9000', '4000000', '1000000', '300000000'],
    [2, 1, '0.9500', '5000000', '1250000', '300500000'],
  ].map(([place, run_index, value, model_bytes, parameter_count, flops]) => ({
    ...{ place, run_index, value, error: null, model_bytes, parameter_count, flops, tied_run_indexes: [] },
  })),
  'The learning curves of the three best runs': [
    [1, 0.95],
    [2, 0.95],
    [3, 0.9],
  ].flatMap(([rank, best = 0]) =>
    [1, 2].map((epoch) => {
      const val_accuracy = best - (2 - epoch) * 0.1;
      const accuracy = 0.5 + epoch / 10;
      return { rank, stage: 'HEAD', epoch, loss: 1 / epoch, val_loss: 1 - val_accuracy, accuracy, val_accuracy };
    }),
  ),
  'The best run of each backbone': [
    {
      backbone: 'efficientnet_lite0',
      sweep_id: 's1',
      run_id: 's1-1',
      best_val_accuracy: 0.95,
      parameters: 'head.units=256 optimizer.learning_rate=0.001 augmentation.flip=horizontal',
    },
    {
      backbone: 'vgg16',
      sweep_id: 's2',
      run_id: 's2-1',
      best_val_accuracy: 1 - 0.25,
      parameters: 'backbone=vgg16 fine_tune.enabled=true',
    },
  ],
  'The better value of a parameter': [
    { head_units: '64', runs: 1, mean: '0.9000', deviation: null, best: '0.9000', best_run_id: 's1-0' },
    { head_units: '256', runs: 2, mean: '0.9500', deviation: '0.0000', best: '0.9500', best_run_id: 's1-1' },
    // Both of its runs failed.
    { head_units: '512', runs: 0, mean: null, deviation: null, best: null, best_run_id: null },
  ],
  'The winner compared with the baseline': [
    ['WINNER', 1, 'head.units=256 optimizer.learning_rate=0.001 augmentation.flip=horizontal'],
    ['BASELINE', 0, 'head.units=64 optimizer.learning_rate=0.001'],
  ].map(([test_role, run_index, parameters]) => ({
    ...{ test_role, run_index, parameters },
    ...{ test_accuracy: 0.75, test_accuracy_low: 0.300_64, test_accuracy_high: 0.954_41 },
  })),
  "The winner's accuracy by class": [
    { class_name: 'dog', images: '2', part_right: '0.50000000000000000000' },
    { class_name: 'cat', images: '2', part_right: '1.00000000000000000000' },
  ],
  'Misclassified test images': [{ path: 'test/dog/1.jpg', is: 'dog', called: 'cat', probability: '0.980' }],
  'GPU-seconds by sweep': [
    { sweep_id: 's1', device: 'gpu', slot_seconds: (60 + 120).toFixed(1) },
    { sweep_id: 's2', device: 'gone', slot_seconds: (60).toFixed(1) },
    { sweep_id: 's2', device: 'gpu', slot_seconds: (30 + 90 + 100 + 20 + 60 + 10).toFixed(1) },
  ],
  'Time lost to retries': [
    ['FAILED', 'WORKER_CRASHED', '100.0', '1', '25.0'],
    ['RELEASED', null, '20.0', '0', '0.0'],
  ].map(([state, error_code, seconds, epochs_again, seconds_again]) => ({
    ...{ stage: 'FINE_TUNE', state, error_code, attempts: '1', seconds, epochs_again, seconds_again },
  })),
  'Epochs that early stopping': [
    // 0.5, 0.4, 0.45, 0.46: it would have ended here; 0.47, 0.48 of 5 s each.
    [0, 'HEAD', 4, '6', '2', 10],
    [1, 'FINE_TUNE', null, '2', '0', 0],
    [1, 'HEAD', null, '3', '0', 0],
    [2, 'HEAD', 4, '4', '0', 0],
    [3, 'HEAD', null, '1', '0', 0],
  ].map(([run_index, stage, stop_epoch, epochs, epochs_saved, seconds_saved]) => ({
    ...{ run_index, stage, stop_epoch, epochs, epochs_saved, seconds_saved },
  })),
  "The lineage of the winner's checkpoint": [
    ['c2-tune', 'FINE_TUNE', 2, 'RESUMED'],
    ['c2-last', 'FINE_TUNE', 1, 'STARTED_FROM'],
    ['c2-head', 'HEAD', 3, 'PRETRAINED'],
  ].map(([checkpoint_id, stage, epoch, origin], step) => ({
    ...{ step, checkpoint_id, stage, epoch, origin, weights_digest: '7'.repeat(64) },
  })),
  'Seconds of the frozen base': [
    { sweep_id: 's1', backbone: 'efficientnet_lite0', reads: '1', seconds_saved: '12.5' },
    { sweep_id: 's2', backbone: 'efficientnet_lite0', reads: '1', seconds_saved: '12.5' },
    { sweep_id: 's2', backbone: 'vgg16', reads: '1', seconds_saved: '58.0' },
  ],
  'Every verdict, promotion and end': [
    {
      ...{ decision_id: '1', kind: 'CONTINUE', run_index: 1, rung: 0, rule: 'none@1', place: 1, cut: null },
      reason: 'no rule stops runs',
    },
  ],
  'The runs at each rung, best first': [
    {
      ...{ rung: 0, stage: 'HEAD', rung_epoch: 1, competes: true, place: 1, run_index: 1, value: '0.9500' },
      ...{ verdict: 'CONTINUE', promoted: false },
    },
  ],
  'The part of the runs at each rung': [{ rung: 0, runs: '1', trained_on: '1' }],
  'The causes for which runs ended': [
    { state: 'FAILED', end_cause: 'not recorded', runs: '2' },
    { state: 'SUCCEEDED', end_cause: 'not recorded', runs: '3' },
  ],
  'Images per second': [
    ['efficientnet_lite0', 'HEAD', 470 / 5, 6],
    ['vgg16', 'FINE_TUNE', 470 / 20, 2],
    ['vgg16', 'HEAD', 470 / 5, 3 + 4 + 1],
  ].map(([backbone, stage, rate, epochs]) => ({
    ...{ backbone, stage, images_per_second: Number(rate).toFixed(1), epochs: String(epochs) },
  })),
};

/** Exactly the lines: numbers as they are stored. */
const CSV = [
  'stage,epoch,loss,accuracy,val_loss,val_accuracy',
  `HEAD,1,1,0.6,${1 - (0.95 - 0.1)},${0.95 - 0.1}`,
  `HEAD,2,0.5,0.7,${1 - 0.95},0.95`,
];

describe('a question of the README', () => {
  const queries = readmeQueries(README);

  test('is one of those tested here', () => {
    const known = [...Object.keys(EXPECTED), "One run's learning curve as CSV"];
    expect(queries.length).toBe(known.length);
    expect(queries.filter(({ question }) => !known.some((start) => question.startsWith(start)))).toEqual([]);
  });

  test.for(queries.filter(({ query }) => !query.startsWith('COPY')))(
    '$question',
    async ({ question, query }, context) => {
      const why = await whyNoReader(database.url);
      context.skip(why !== null, why ?? '');
      const expected = Object.entries(EXPECTED).find(([start]) => question.startsWith(start))?.[1];
      expect((await reader.query<Record<string, unknown>>(query)).rows).toEqual(expected);
    },
  );

  test('about a learning curve is answered as CSV', async () => {
    const query = queries.find(({ query: text }) => text.startsWith('COPY'))?.query ?? '';
    expect(await copyOut(reader, query)).toBe(`${CSV.join('\n')}\n`);
  });
});

test('the README has every table and view', async () => {
  const [rows] = await runOn(database.url, [
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
        AND relname <> '_prisma_migrations' ORDER BY 1`,
  ]);
  expect((rows ?? []).filter(({ name }) => !README.includes(`\`${String(name)}\``))).toEqual([]);
});

/** Returns the output of COPY … TO STDOUT; `pg` reads the messages but keeps none. */
async function copyOut(client: pg.Client, query: string): Promise<string> {
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
  const chunks: Buffer[] = [];
  const keep = ({ chunk }: { readonly chunk: Buffer }): void => void chunks.push(Buffer.from(chunk));
  connection.on('copyData', keep);
  await client.query(query);
  connection.off('copyData', keep);
  return Buffer.concat(chunks).toString();
}
