import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LeasedTask, Stage } from '../../../services/core/task.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

/** What the record says of each feature set: how many attempts have computed it to the end. */
async function extractions(): Promise<readonly number[]> {
  const rows = await harness.query<{ count: number }>(
    `SELECT count(a.task_id)::int AS count
       FROM feature_sets f
       JOIN task_feature_sets u USING (feature_key)
       JOIN tasks t ON t.task_id = u.task_id AND t.stage = 'FEATURES'
       LEFT JOIN attempts a ON a.task_id = t.task_id AND a.state = 'SUCCEEDED'
      GROUP BY f.feature_key`,
  );
  return rows.map(({ count }) => count);
}

/** All trainers ask at the same moment, and again until none gets anything. */
async function workTogether(trainers: readonly SimulatedTrainer[]): Promise<Stage[]> {
  return (await Promise.all(trainers.map((trainer) => trainer.workAll(2_000)))).flat();
}

/** A sweep whose FEATURES task is leased, and a second one on the same data that waits for it. */
async function twoSweepsOnOneSet(
  first: SimulatedTrainer,
  second: SimulatedTrainer,
): Promise<{ readonly ids: readonly [string, string]; readonly features: LeasedTask }> {
  const a = await harness.submit(specOf());
  await first.work(await first.mustLease('INDEX'));
  const features = await first.mustLease('FEATURES');
  const b = await harness.submit(specOf({ seed: 2 }));
  await second.work(await second.mustLease('INDEX'));
  return { ids: [a, b], features };
}

describe('one extraction per feature set in the cluster', () => {
  it('of 16 variants in two sweeps that are submitted at once, with three trainers asking at once', async () => {
    const parameters = [
      { name: 'optimizer.learning_rate', domain: { kind: 'values', values: [0.001, 0.01] }, conditions: [] },
      { name: 'head.units', domain: { kind: 'values', values: [8, 16, 32, 64] }, conditions: [] },
    ] as const;
    const trainers = await Promise.all(['a', 'b', 'c'].map((id) => harness.trainer(id)));
    await Promise.all([1, 2].map((seed) => harness.submit(specOf({ seed, parameters }))));
    const stages = await workTogether(trainers);
    expect(stages.filter((stage) => stage === 'INDEX')).toHaveLength(2);
    expect(stages.filter((stage) => stage === 'FEATURES')).toHaveLength(1);
    // train and validation, each computed once
    expect(await extractions()).toEqual([1, 1]);
    expect(await harness.query(`SELECT 1 FROM sweeps WHERE state = 'SUCCEEDED'`)).toHaveLength(2);
  });

  it('also when the computing trainer is lost half-way', async () => {
    const lost = await harness.trainer('lost');
    const others = await Promise.all(['b', 'c'].map((id) => harness.trainer(id)));
    const { features } = await twoSweepsOnOneSet(lost, others[0]!);
    // It is never heard of again: the lease on the set ends, and one of the others goes on.
    await harness.query('UPDATE tasks SET lease_expire_time = now() WHERE task_id = $1', [features.taskId]);
    const stages = await workTogether([...others]);
    expect(stages.filter((stage) => stage === 'FEATURES')).toHaveLength(1);
    expect(await extractions()).toEqual([1, 1]);
    const attempts = await harness.query<{ state: string }>(
      'SELECT state FROM attempts WHERE task_id = $1 ORDER BY lease_epoch',
      [features.taskId],
    );
    expect(attempts.map(({ state }) => state)).toEqual(['EXPIRED', 'SUCCEEDED']);
  });

  it('also when a sweep was paused, another took over, and the first goes on meanwhile', async () => {
    const first = await harness.trainer('a');
    const second = await harness.trainer('b');
    const { ids, features } = await twoSweepsOnOneSet(first, second);
    await harness.sweeps.pauseSweep({ sweepId: ids[0], reason: '' });
    // Its trainer has not heard of the pause yet, so nobody else begins.
    expect(await second.lease(0, 0)).toBeNull();
    await first.release(features, 1);
    const takenOver = await second.mustLease('FEATURES');
    expect(takenOver.sweepId).toBe(ids[1]);
    await harness.sweeps.resumeSweep({ sweepId: ids[0] });
    expect(await first.lease(0, 0)).toBeNull();
    await second.work(takenOver);
    await workTogether([first, second]);
    const makers = await harness.query(
      `SELECT DISTINCT computed_by_task_id AS task FROM feature_sets WHERE state = 'COMPUTED'`,
    );
    expect(makers).toEqual([{ task: takenOver.taskId }]);
    expect(await harness.query(`SELECT 1 FROM sweeps WHERE state = 'SUCCEEDED'`)).toHaveLength(2);
  });
});
