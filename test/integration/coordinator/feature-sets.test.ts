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

/** Returns how many attempts have completed the computation of each feature set, by the record. */
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
  it('for 16 variants in two concurrent sweeps, with three concurrent trainers', async () => {
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

  it('also when the computing trainer is lost', async () => {
    const lost = await harness.trainer('lost');
    const others = await Promise.all(['b', 'c'].map((id) => harness.trainer(id)));
    const { features } = await twoSweepsOnOneSet(lost, others[0]!);
    // It never replies again: the lease on the set expires, and one of the others continues.
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

  it('also when a sweep was paused, another took over, and the first is resumed', async () => {
    const first = await harness.trainer('a');
    const second = await harness.trainer('b');
    const { ids, features } = await twoSweepsOnOneSet(first, second);
    await harness.sweeps.pauseSweep({ sweepId: ids[0], reason: '' });
    // Its trainer has not received the pause yet, so no other one starts.
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

describe('a stored feature set whose file was removed', () => {
  /** A task that reads the sets, as a trainer reports it that has found none of the files. */
  async function failWithoutFiles(trainer: SimulatedTrainer, task: LeasedTask): Promise<void> {
    const missingFeatureKeys = task.featureSets.map(({ key }) => key);
    await trainer.fail(task, { code: 'FEATURES_MISSING', message: 'the files are missing', missingFeatureKeys });
  }

  /** A sweep that has left its sets behind, and heads of further sweeps on them. */
  async function headsOnStoredSets(trainer: SimulatedTrainer, seeds: readonly number[]): Promise<LeasedTask[]> {
    await harness.submit(specOf());
    await trainer.workAll();
    const heads: LeasedTask[] = [];
    for (const seed of seeds) {
      await harness.submit(specOf({ seed }));
      const slot = heads.length;
      await trainer.work(await trainer.mustLease('INDEX', slot));
      heads.push(await trainer.mustLease('HEAD', slot));
    }
    return heads;
  }

  it('is recomputed, once, before the task that missed it is retried', async () => {
    const trainer = await harness.trainer('a');
    const [head] = await headsOnStoredSets(trainer, [2]);
    await failWithoutFiles(trainer, head!);
    const again = await trainer.mustLease('FEATURES');
    expect(again.sweepId).toBe(head!.sweepId);
    expect(again.featureSets.map(({ key }) => key).sort()).toEqual(head!.featureSets.map(({ key }) => key).sort());
    expect(await trainer.lease(0, 1_500)).toBeNull();
    await trainer.work(again);
    const retried = await trainer.mustLease('HEAD');
    expect(retried).toMatchObject({ taskId: head!.taskId, leaseEpoch: head!.leaseEpoch + 1 });
    expect(retried.featureSets.every(({ uri }) => uri !== null)).toBe(true);
    await trainer.work(retried);
    await trainer.workAll();
    expect(await harness.query(`SELECT 1 FROM sweeps WHERE state = 'SUCCEEDED'`)).toHaveLength(2);
  });

  it('is recomputed by one sweep when two have missed it', async () => {
    const trainer = await harness.trainer('a', 3);
    const heads = await headsOnStoredSets(trainer, [2, 3]);
    for (const head of heads) await failWithoutFiles(trainer, head);
    const stages = await trainer.workAll(2_500);
    expect(stages.filter((stage) => stage === 'FEATURES')).toHaveLength(1);
    expect(await harness.query(`SELECT 1 FROM sweeps WHERE state = 'SUCCEEDED'`)).toHaveLength(3);
  });

  it('is not recomputed for an attempt that began before the recomputation', async () => {
    const trainer = await harness.trainer('a', 3);
    const [first, second] = await headsOnStoredSets(trainer, [2, 3]);
    await failWithoutFiles(trainer, first!);
    await trainer.work(await trainer.mustLease('FEATURES'));
    await failWithoutFiles(trainer, second!);
    expect(await trainer.workAll(2_500)).not.toContain('FEATURES');
    expect(await harness.query(`SELECT 1 FROM sweeps WHERE state = 'SUCCEEDED'`)).toHaveLength(3);
  });

  it('counts no failure, and lets no other task of the sweep begin that reads it', async () => {
    const trainer = await harness.trainer('a', 2);
    await harness.submit(specOf());
    await trainer.workAll();
    // Two tasks on the same sets: runs of two batch sizes are never one group.
    const sizes = { name: 'batch_size', domain: { kind: 'values', values: [8, 16] }, conditions: [] } as const;
    await harness.submit(specOf({ seed: 2, parameters: [sizes] }));
    await trainer.work(await trainer.mustLease('INDEX'));
    const head = await trainer.mustLease('HEAD');
    await failWithoutFiles(trainer, head);
    const features = await trainer.mustLease('FEATURES');
    expect(await trainer.lease(1, 500)).toBeNull();
    await trainer.work(features);
    expect(await trainer.workAll()).toEqual(['HEAD', 'HEAD', 'EVALUATE']);
    const counted = await harness.query(
      'SELECT 1 FROM tasks WHERE failure_count + infrastructure_count + memory_count > 0',
    );
    expect(counted).toEqual([]);
  });

  it('fails the task when it vanishes repeatedly', async () => {
    const trainer = await harness.trainer('a');
    const [head] = await headsOnStoredSets(trainer, [2]);
    await failWithoutFiles(trainer, head!);
    for (const isLast of [false, false, false, true]) {
      await trainer.work(await trainer.mustLease('FEATURES'));
      await failWithoutFiles(trainer, await trainer.mustLease('HEAD'));
      if (isLast) expect(await trainer.lease(0, 500)).toBeNull();
    }
    const runs = await harness.query<{ state: string; reason: string }>(
      'SELECT state, state_reason AS reason FROM runs WHERE sweep_id = $1',
      [head!.sweepId],
    );
    expect(runs).toHaveLength(2);
    expect(
      runs.every(
        ({ state, reason }) => state === 'FAILED' && /lost or damaged again after it had been computed/.test(reason),
      ),
    ).toBe(true);
  });

  it('of another task, or one that is not stored, changes nothing', async () => {
    const trainer = await harness.trainer('a');
    const [head] = await headsOnStoredSets(trainer, [2]);
    await trainer.fail(head!, { code: 'FEATURES_MISSING', message: 'gone', missingFeatureKeys: ['0'.repeat(64)] });
    expect(await trainer.workAll(2_000)).not.toContain('FEATURES');
    expect(await harness.query(`SELECT 1 FROM feature_sets WHERE state <> 'COMPUTED'`)).toHaveLength(0);
  });
});
