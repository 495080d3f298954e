import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PrismaClient } from '../../../prisma/client/client.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { insertSampleRecord } from '../../support/sample-record.ts';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  const prisma = new PrismaClient({
    adapter: new PrismaPg({ connectionString: database.url, options: '-c timezone=UTC' }),
  });
  await insertSampleRecord(prisma);
  await prisma.$disconnect();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

/** Runs statements in a transaction that is never kept. @returns the constraint that refused one; null when none did. */
async function refusedBy(...statements: readonly string[]): Promise<string | null> {
  await client.query('BEGIN');
  try {
    for (const statement of statements) await client.query(statement);
    return null;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.constraint !== undefined) return error.constraint;
    throw error;
  } finally {
    await client.query('ROLLBACK');
  }
}

function leasedTask(taskId: string, slotIndex: number, state = 'LEASED'): string {
  return `INSERT INTO tasks (task_id, sweep_id, stage, state, position, lease_epoch, lease_expire_time, trainer_id, slot_index)
          VALUES ('${taskId}', 's1', 'HEAD', '${state}', 9, 1, now() + interval '30 s', 'node-a', ${slotIndex})`;
}

describe('leases', () => {
  test('a slot holds one live task, whether leased or running', async () => {
    expect(await refusedBy(leasedTask('a', 0), leasedTask('b', 0))).toBe('tasks_live_slot_key');
    expect(await refusedBy(leasedTask('a', 0, 'RUNNING'), leasedTask('b', 0))).toBe('tasks_live_slot_key');
  });

  test('another slot, and the same slot afterwards, may hold one', async () => {
    expect(await refusedBy(leasedTask('a', 0), leasedTask('b', 1))).toBeNull();
    const release = `UPDATE tasks SET state = 'READY', trainer_id = NULL, slot_index = NULL WHERE task_id = 'a'`;
    expect(await refusedBy(leasedTask('a', 0), release, leasedTask('b', 0))).toBeNull();
    expect(
      await refusedBy(
        leasedTask('a', 0),
        `UPDATE tasks SET state = 'SUCCEEDED' WHERE task_id = 'a'`,
        leasedTask('b', 0),
      ),
    ).toBeNull();
  });

  test('a live task says who holds it and until when', async () => {
    const leased = leasedTask('a', 0);
    expect(await refusedBy(leased, `UPDATE tasks SET lease_expire_time = NULL WHERE task_id = 'a'`)).toBe(
      'tasks_lease_check',
    );
    expect(await refusedBy(leased, `UPDATE tasks SET trainer_id = NULL WHERE task_id = 'a'`)).toBe('tasks_lease_check');
    expect(await refusedBy(leased, `UPDATE tasks SET lease_epoch = 0 WHERE task_id = 'a'`)).toBe('tasks_lease_check');
  });

  test('a task has one live attempt, and a request of a slot gets one lease', async () => {
    const attempt = (epoch: number, request: string): string =>
      `INSERT INTO attempts (task_id, lease_epoch, trainer_id, slot_index, request_id, state)
       VALUES ('t-features', ${epoch}, 'node-a', 0, '${request}', 'LEASED')`;
    expect(await refusedBy(attempt(1, 'x'), attempt(2, 'y'))).toBe('attempts_live_task_key');
    const end = `UPDATE attempts SET state = 'EXPIRED' WHERE task_id = 't-features'`;
    expect(await refusedBy(attempt(1, 'x'), end, attempt(2, 'y'))).toBeNull();
    expect(await refusedBy(attempt(1, 'x'), end, attempt(2, 'x'))).toBe(
      'attempts_trainer_id_slot_index_request_id_key',
    );
  });
});

describe('metrics', () => {
  const again = `INSERT INTO epoch_metrics (run_id, stage, epoch, name, lease_epoch, task_id, value)
                 VALUES ('s1-0', 'HEAD', 2, 'loss', 3, 't-head', 0.1)`;

  test('an epoch counts once', async () => {
    expect(await refusedBy(again)).toBe('epoch_metrics_surviving_key');
    const supersede = `UPDATE epoch_metrics SET superseded_by = 3 WHERE run_id = 's1-0' AND epoch = 2 AND superseded_by IS NULL`;
    expect(await refusedBy(supersede, again)).toBeNull();
  });

  test('an attempt measures an epoch once', async () => {
    expect(await refusedBy(again.replace(', 3,', ', 1,'))).toBe('epoch_metrics_pkey');
  });

  test('only a later attempt supersedes', async () => {
    expect(await refusedBy(`UPDATE epoch_metrics SET superseded_by = 1 WHERE lease_epoch = 1`)).toBe(
      'epoch_metrics_superseded_by_check',
    );
  });

  test('epochs count from 1', async () => {
    expect(await refusedBy(again.replace(', 2,', ', 0,'))).toBe('epoch_metrics_epoch_check');
  });
});

test.each([
  [`UPDATE sweeps SET state = 'RUNNING'`, 'sweeps_state_check'],
  [`UPDATE sweeps SET state = ''`, 'sweeps_state_check'],
  [`UPDATE runs SET state = 'succeeded'`, 'runs_state_check'],
  [`UPDATE tasks SET state = 'PENDING'`, 'tasks_state_check'],
  [`UPDATE attempts SET state = 'CANCELLED'`, 'attempts_state_check'],
  [`UPDATE task_runs SET state = 'RUNNING'`, 'task_runs_state_check'],
  [`UPDATE checkpoints SET state = 'GONE'`, 'checkpoints_state_check'],
  [`UPDATE feature_sets SET state = 'READY'`, 'feature_sets_state_check'],
  [`UPDATE trainers SET state = 'OFF'`, 'trainers_state_check'],
])('%s is refused', async (statement, constraint) => {
  expect(await refusedBy(statement)).toBe(constraint);
});

test.each([
  [
    'a parameter has one value',
    `UPDATE run_parameters SET string_value = 'x' WHERE name = 'head.units'`,
    'run_parameters_value_check',
  ],
  [
    'a parameter has a value',
    `UPDATE run_parameters SET int_value = NULL WHERE name = 'head.units'`,
    'run_parameters_value_check',
  ],
  ['a best value says where it was', `UPDATE runs SET best_epoch = NULL WHERE run_index = 0`, 'runs_best_check'],
  ['a computed feature set has a file', `UPDATE feature_sets SET uri = NULL`, 'feature_sets_computed_check'],
  [
    'no task waits for itself',
    `UPDATE task_dependencies SET depends_on_id = task_id`,
    'task_dependencies_depends_on_id_check',
  ],
  [
    'a sweep has each variant once',
    `UPDATE runs SET parameters_digest = repeat('0', 64)`,
    'runs_sweep_id_parameters_digest_key',
  ],
  ['more right than there are', `UPDATE test_results SET correct_count = 5`, 'test_results_count_check'],
  ['a run belongs to a sweep', `UPDATE runs SET sweep_id = 'none'`, 'runs_sweep_id_fkey'],
  ['what has runs is not deleted', `DELETE FROM sweeps`, 'runs_sweep_id_fkey'],
])('%s: %s', async (_rule, statement, constraint) => {
  expect(await refusedBy(statement)).toBe(constraint);
});
