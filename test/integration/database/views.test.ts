import { PrismaPg } from '@prisma/adapter-pg';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PrismaClient } from '../../../prisma/client/client.ts';
import { canBeBest, compareRuns } from '../../../services/core/ranking.ts';
import type { RunState } from '../../../services/core/states/run-state.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { insertSampleRecord } from '../../support/sample-record.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  const prisma = new PrismaClient({
    adapter: new PrismaPg({ connectionString: database.url, options: '-c timezone=UTC' }),
  });
  await insertSampleRecord(prisma);
  await prisma.$disconnect();
});

afterAll(() => database.drop());

async function rows(query: string): Promise<Record<string, unknown>[]> {
  return (await runOn(database.url, [query]))[0] ?? [];
}

test('leaderboard ranks by the objective: ties to the earlier run, failed runs behind, runs without a value last', async () => {
  expect(await rows('SELECT rank, run_index, state, best_value FROM leaderboard ORDER BY rank')).toEqual([
    { rank: 1, run_index: 1, state: 'SUCCEEDED', best_value: 0.95 },
    { rank: 2, run_index: 2, state: 'SUCCEEDED', best_value: 0.95 },
    { rank: 3, run_index: 0, state: 'SUCCEEDED', best_value: 0.9 },
    { rank: 4, run_index: 3, state: 'FAILED', best_value: 0.99 },
    { rank: 5, run_index: 4, state: 'FAILED', best_value: null },
  ]);
});

test('leaderboard has the averages over the classes, and names those that were never found', async () => {
  const [, found] = await runOn(database.url, [
    `UPDATE test_class_results SET recall = 0 WHERE run_id = 's1-1' AND class_name = 'dog'`,
    `SELECT run_index, test_balanced_accuracy, round(test_macro_f1::numeric, 4)::float8 AS test_macro_f1, test_roc_auc,
            never_found_classes
       FROM leaderboard WHERE test_role IS NOT NULL OR run_index = 2 ORDER BY run_index`,
    `UPDATE test_class_results SET recall = 0.5 WHERE run_id = 's1-1' AND class_name = 'dog'`,
  ]);
  const tested = { test_balanced_accuracy: 0.75, test_macro_f1: 0.7333, test_roc_auc: 0.875 };
  expect(found).toEqual([
    { run_index: 0, ...tested, never_found_classes: null },
    { run_index: 1, ...tested, never_found_classes: ['dog'] },
    { run_index: 2, test_balanced_accuracy: null, test_macro_f1: null, test_roc_auc: null, never_found_classes: null },
  ]);
});

test('leaderboard turns round when the objective is minimised', async () => {
  const [, found] = await runOn(database.url, [
    `UPDATE sweeps SET objective_metric = 'val_loss', objective_goal = 'minimize'`,
    'SELECT run_index FROM leaderboard ORDER BY rank',
    `UPDATE sweeps SET objective_metric = 'val_accuracy', objective_goal = 'maximize'`,
  ]);
  expect(found?.map((row) => row['run_index'])).toEqual([0, 1, 2, 3, 4]);
});

test('leaderboard: NaN is never better', async () => {
  const [, found] = await runOn(database.url, [
    `UPDATE runs SET best_value = 'NaN' WHERE run_index = 1`,
    'SELECT run_index FROM leaderboard ORDER BY rank',
    `UPDATE runs SET best_value = 0.95 WHERE run_index = 1`,
  ]);
  expect(found?.map((row) => row['run_index'])).toEqual([2, 0, 3, 1, 4]);
});

/** Every value a metric can have, twice as often those that tie. */
const METRIC_VALUES = [null, NaN, Infinity, -Infinity, 0, 0.5, 0.5, 0.9, 0.9];
const STATES: readonly RunState[] = ['SUCCEEDED', 'RUNNING', 'STOPPED', 'FAILED', 'CANCELLED', 'INFEASIBLE'];

test.each([
  { metric: 'val_loss', goal: 'minimize' },
  { metric: 'val_accuracy', goal: 'maximize' },
] as const)('run_rank_key orders runs as services/core does: $metric', async (objective) => {
  const metric = fc.constantFrom(...METRIC_VALUES);
  const run = fc.record({
    state: fc.constantFrom(...STATES),
    bestValue: metric,
    bestValLoss: metric,
    bestValAccuracy: metric,
  });
  const [drawn = []] = fc.sample(fc.array(run, { minLength: 300, maxLength: 300 }), { numRuns: 1, seed: 14 });
  const runs = drawn.map((one, runIndex) => ({ ...one, runIndex }));
  const quoted = (value: number | null): string => (value === null ? 'NULL' : `'${String(value)}'`);
  const list = runs.map(
    ({ runIndex, state, bestValue, bestValLoss, bestValAccuracy }) =>
      `(${runIndex}, '${state}', ${[bestValue, bestValLoss, bestValAccuracy].map(quoted).join(', ')})`,
  );
  const found = await rows(
    `SELECT i, k[1] = 0 AND k[2] = 0 AS can_be_best
       FROM (SELECT i, run_rank_key(s, '${objective.metric}', '${objective.goal}', v::float8, l::float8, a::float8, i) AS k
               FROM (VALUES ${list.join(', ')}) AS r (i, s, v, l, a)) AS keyed ORDER BY k`,
  );
  const ordered = [...runs].sort((a, b) => compareRuns(objective, a, b));
  expect(found).toEqual(ordered.map((one) => ({ i: one.runIndex, can_be_best: canBeBest(one) })));
});

test('leaderboard and sweep_summaries break ties by the other metric, and no failed run is the best', async () => {
  const [, board, summary] = await runOn(database.url, [
    'UPDATE runs SET best_val_loss = CASE run_index WHEN 2 THEN 0.1 ELSE 0.2 END',
    'SELECT run_index FROM leaderboard ORDER BY rank',
    'SELECT succeeded_count, failed_count, infeasible_count, stopped_count, cancelled_count, best_run_id FROM sweep_summaries',
    'UPDATE runs SET best_val_loss = 1 - best_value',
  ]);
  expect(board?.map((row) => row['run_index'])).toEqual([2, 1, 0, 3, 4]);
  expect(summary).toEqual([
    {
      succeeded_count: 3,
      failed_count: 2,
      infeasible_count: 0,
      stopped_count: 0,
      cancelled_count: 0,
      best_run_id: 's1-2',
    },
  ]);
});

test('leaderboard shows the varied parameters as text, in the order of the sweep, those that a run has', async () => {
  expect(await rows('SELECT run_index, parameters FROM leaderboard ORDER BY run_index')).toEqual([
    { run_index: 0, parameters: 'head.units=64 optimizer.learning_rate=0.001' },
    { run_index: 1, parameters: 'head.units=256 optimizer.learning_rate=0.001 augmentation.flip=horizontal' },
    { run_index: 2, parameters: 'head.units=256 optimizer.learning_rate=1e-05' },
    { run_index: 3, parameters: 'head.units=512 optimizer.learning_rate=0.1' },
    { run_index: 4, parameters: 'head.units=512 optimizer.learning_rate=10' },
  ]);
});

test('leaderboard has test results, best epochs and times where there are any', async () => {
  const found = await rows(
    `SELECT run_index, objective_metric, best_stage, best_epoch, round(best_val_loss::numeric, 3)::float8 AS best_val_loss,
            best_val_accuracy, last_value, test_accuracy, test_accuracy_low, test_accuracy_high, test_role, seconds
       FROM leaderboard WHERE run_index IN (1, 4) ORDER BY rank`,
  );
  expect(found).toEqual([
    {
      run_index: 1,
      objective_metric: 'val_accuracy',
      best_stage: 'HEAD',
      best_epoch: 2,
      best_val_loss: 0.05,
      best_val_accuracy: 0.95,
      last_value: 0.95,
      test_accuracy: 0.75,
      test_accuracy_low: 0.30064,
      test_accuracy_high: 0.95441,
      test_role: 'WINNER',
      seconds: 90,
    },
    {
      run_index: 4,
      objective_metric: 'val_accuracy',
      best_stage: null,
      best_epoch: null,
      best_val_loss: null,
      best_val_accuracy: null,
      last_value: null,
      test_accuracy: null,
      test_accuracy_low: null,
      test_accuracy_high: null,
      test_role: null,
      seconds: null,
    },
  ]);
});

test('epoch_curves has each epoch once, from the attempt that counts', async () => {
  expect(await rows(`SELECT * FROM epoch_curves WHERE run_id = 's1-1' ORDER BY stage, epoch`)).toEqual([
    {
      sweep_id: 's1',
      trained_run_id: 's1-1',
      run_id: 's1-1',
      run_index: 1,
      stage: 'HEAD',
      epoch: 1,
      loss: 1,
      accuracy: 0.6,
      val_loss: 1 - (0.95 - 0.1),
      val_accuracy: 0.95 - 0.1,
      val_macro_f1: 0.95 - 0.1 - 0.02,
      val_balanced_accuracy: 0.95 - 0.1 - 0.01,
      val_auc: null,
      learning_rate: 0.001,
      seconds: 2,
      images_per_second: 235,
    },
    {
      sweep_id: 's1',
      trained_run_id: 's1-1',
      run_id: 's1-1',
      run_index: 1,
      stage: 'HEAD',
      epoch: 2,
      loss: 0.5,
      accuracy: 0.7,
      val_loss: 1 - 0.95,
      val_accuracy: 0.95,
      val_macro_f1: 0.95 - 0.02,
      val_balanced_accuracy: 0.95 - 0.01,
      val_auc: null,
      learning_rate: 0.001,
      seconds: 2,
      images_per_second: 235,
    },
  ]);
  expect(await rows('SELECT count(*)::int AS rows FROM epoch_curves')).toEqual([{ rows: 10 }]);
});

test('epoch_curves keeps NaN and infinities, and what an epoch lacks is null', async () => {
  const [, found] = await runOn(database.url, [
    `UPDATE epoch_metrics SET name = 'other' WHERE run_id = 's1-4' AND name = 'accuracy'`,
    `SELECT loss, val_loss, accuracy FROM epoch_curves WHERE run_id = 's1-4' AND epoch = 1`,
    `UPDATE epoch_metrics SET name = 'accuracy' WHERE run_id = 's1-4' AND name = 'other'`,
  ]);
  expect(found).toEqual([{ loss: Number.NaN, val_loss: Number.POSITIVE_INFINITY, accuracy: null }]);
});

test('a query for one sweep or run does not compute the others', async () => {
  for (const query of [
    `SELECT * FROM leaderboard WHERE sweep_id = 's1'`,
    `SELECT * FROM epoch_curves WHERE run_id = 's1-1'`,
    `SELECT * FROM epoch_curves WHERE sweep_id = 's1'`,
  ]) {
    const [, plan] = await runOn(database.url, ['SET enable_seqscan = off', `EXPLAIN ${query}`]);
    const lines = (plan ?? []).map((row) => String(row['QUERY PLAN']));
    // The condition has reached an index, below the window or the groups.
    expect(lines.filter((line) => /Index Cond: \(+(sweep_id|run_id) = /.test(line))).not.toEqual([]);
    expect(lines.filter((line) => /^\s*Filter: .*(sweep_id|run_id) = 's1/.test(line))).toEqual([]);
  }
});

test('sweep_summaries counts runs and attempts, and sums the seconds of leases', async () => {
  expect(
    await rows(
      `SELECT display_name, state, dataset_path, class_names, run_count, succeeded_count, failed_count, attempt_count, slot_seconds
         FROM sweep_summaries`,
    ),
  ).toEqual([
    {
      display_name: 'heads',
      state: 'SUCCEEDED',
      dataset_path: '/data/cats-dogs',
      class_names: ['cat', 'dog'],
      run_count: 5,
      succeeded_count: 3,
      failed_count: 2,
      attempt_count: 2,
      slot_seconds: 60 + 120,
    },
  ]);
});

test('run_parameter_values has each type as text, numbers as such, and says which differ', async () => {
  expect(
    await rows(`SELECT name, value, number, varied FROM run_parameter_values WHERE run_id = 's1-1' ORDER BY name`),
  ).toEqual([
    { name: 'augmentation.flip', value: 'horizontal', number: null, varied: true },
    { name: 'backbone', value: 'efficientnet_lite0', number: null, varied: false },
    { name: 'head.units', value: '256', number: 256, varied: true },
    { name: 'optimizer.centered', value: 'false', number: null, varied: false },
    { name: 'optimizer.learning_rate', value: '0.001', number: 0.001, varied: true },
    { name: 'optimizer.name', value: 'rmsprop', number: null, varied: false },
  ]);
  // Five parameters of five runs, and the one that only one of them has.
  expect(await rows('SELECT count(*)::int AS count FROM run_parameter_values')).toEqual([{ count: 26 }]);
});

test('feature_set_uses has who reads a set, and who computed it', async () => {
  const [, found] = await runOn(database.url, [
    `INSERT INTO task_feature_sets (task_id, feature_key) VALUES ('t-features', repeat('b', 64))`,
    `SELECT task_id, stage, split, backbone, row_count, size_bytes::int AS size_bytes, compute_seconds, computed_here
       FROM feature_set_uses ORDER BY task_id`,
    `DELETE FROM task_feature_sets WHERE task_id = 't-features'`,
  ]);
  const set = {
    split: 'train',
    backbone: 'efficientnet_lite0',
    row_count: 470,
    size_bytes: 2_406_400,
    compute_seconds: 12.5,
  };
  expect(found).toEqual([
    { task_id: 't-features', stage: 'FEATURES', ...set, computed_here: true },
    { task_id: 't-head', stage: 'HEAD', ...set, computed_here: false },
  ]);
});

test('test_answers names the classes and gives the probability of the one that was called', async () => {
  expect(
    await rows(
      `SELECT run_index, test_role, path, class_name, predicted_class_name, correct, probability, probabilities
         FROM test_answers WHERE run_id = 's1-0' ORDER BY path`,
    ),
  ).toEqual(
    [
      ['test/cat/1.jpg', 'cat', 'cat', 0.9, [0.9, 0.1]],
      ['test/cat/2.jpg', 'cat', 'cat', 0.6, [0.6, 0.4]],
      ['test/dog/1.jpg', 'dog', 'cat', 0.98, [0.98, 0.02]],
      ['test/dog/2.jpg', 'dog', 'dog', 0.8, [0.2, 0.8]],
    ].map(([path, class_name, predicted_class_name, probability, probabilities]) => ({
      ...{ run_index: 0, test_role: 'BASELINE', path, class_name, predicted_class_name },
      ...{ correct: class_name === predicted_class_name, probability, probabilities },
    })),
  );
});
